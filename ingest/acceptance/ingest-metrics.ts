import { Counter, type Registry } from 'prom-client';
import type { Signal } from 'streams/contract';
import { detailOf, type RejectionCounts } from '../rejections/rejection-counts.ts';

/** What ingest counts about itself, at `/metrics`. */
export interface IngestMetrics {
  request(signal: Signal, status: number): void;
  accepted(signal: Signal, records: number, bytes: number): void;
  /** Counts for the operator, and for the tenant itself when it is known; `error` is what it was told. */
  rejected(signal: Signal, reason: string, records: number, tenantId?: string, error?: unknown): void;
}

export function createIngestMetrics(registry: Registry, rejections: Pick<RejectionCounts, 'record'>): IngestMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: 'pulse_ingest_requests_total',
    help: 'Requests answered, by signal and HTTP status.',
    labelNames: ['signal', 'status'],
    registers,
  });
  const bytes = new Counter({
    name: 'pulse_ingest_bytes_total',
    help: 'Payload bytes on the log, after decompression.',
    labelNames: ['signal'],
    registers,
  });
  const records = new Counter({
    name: 'pulse_ingest_records_total',
    help: 'Points, spans, log records and usage events acknowledged.',
    labelNames: ['signal'],
    registers,
  });
  const rejected = new Counter({
    name: 'pulse_ingest_rejected_total',
    help: 'Records refused alone, and requests refused whole (counted once), by reason.',
    labelNames: ['signal', 'reason'],
    registers,
  });
  return {
    request: (signal, status) => requests.inc({ signal, status }),
    accepted(signal, count, size) {
      records.inc({ signal }, count);
      bytes.inc({ signal }, size);
    },
    rejected(signal, reason, count, tenantId, error) {
      rejected.inc({ signal, reason }, count);
      if (tenantId !== undefined) rejections.record(tenantId, signal, reason, count, detailOf(error));
    },
  };
}
