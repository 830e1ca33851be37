import { randomUUID } from 'node:crypto';
import type { Principal } from 'streams/access';
import { AppError, type TenantLimits, type TenantRecord } from 'streams/contract';
import { type HourCount, type Log, toHeaders } from 'streams/log';
import { filterOtlp, type OtlpSignal, scanOtlp, splitOtlp, type TimeBounds, timeBounds } from 'streams/otlp';
import type { Admission } from './admission.ts';
import type { IngestMetrics } from './ingest-metrics.ts';
import { type ProducerNumbers, producedOf } from './producer-numbers.ts';
import type { SeriesCensus } from './series-census.ts';

/** Above this a request becomes several records of the log. *Source* architecture §3.2: 1 MiB, topics allow 4 MiB. */
const partBytesMax = 1024 * 1024;
/** Payload of a record that travels compressed as its sender made it, within {@link partBytesMax}: what the log takes, with room for key and headers. */
const packedPartBytesMax = 3.5 * 1024 * 1024;

export interface Sender {
  readonly tenant: TenantRecord;
  readonly principal: Principal;
}

export interface Acceptance {
  readonly records: number;
  readonly rejected: ReadonlyMap<string, number>;
}

/** Takes validated telemetry onto the log. */
export interface TelemetryAcceptor {
  /**
   * Validates protobuf bytes, and resolves when every accepted record is durable.
   *
   * *Errors* `otlp.malformed` (400), `ingest.tenant_mismatch` (403), `otlp.record_too_large` (413), `limits.points_per_second`, `limits.bytes_per_second` (429), `log.unavailable` (503): nothing may be assumed stored.
   */
  accept(
    signal: OtlpSignal,
    payload: Uint8Array,
    sender: Sender,
    receivedAtMs: number,
    /** The payload as the sender compressed it, gzip or zstd: the log keeps it so when nothing was changed or split. */
    packed?: Uint8Array,
    /** Numbers that the sender gave the records. */
    numbers?: ProducerNumbers,
  ): Promise<Acceptance>;
}

export function createTelemetryAcceptor(deps: {
  readonly log: Pick<Log, 'append'>;
  readonly metrics: IngestMetrics;
  readonly admission: Pick<Admission, 'charge'>;
  readonly census: SeriesCensus;
  readonly limitsOf: (tenantId: string) => TenantLimits;
}): TelemetryAcceptor {
  return {
    async accept(signal, payload, sender, receivedAtMs, packed, numbers) {
      const { tenant, principal } = sender;
      const limits = deps.limitsOf(tenant.id);
      const bounds = timeBounds(receivedAtMs, limits.retentionDays[signal]);
      const scan = scanOtlp(signal, payload, bounds, {
        attributes: {
          perRecord: limits.attributesPerRecord,
          nameBytes: limits.attributeNameBytes,
          valueBytes: limits.attributeValueBytes,
        },
        series: deps.census.gate(tenant.id, limits, receivedAtMs),
      });
      refuseForeignTenants(scan.tenantIds, tenant);
      const rejected = [...scan.rejected.values()].reduce((sum, count) => sum + count, 0);
      deps.admission.charge(sender, scan.records + rejected, payload.length);
      if (scan.records > 0) {
        const kept = scan.cut.length === 0 ? payload : filterOtlp(signal, payload, scan.cut);
        // A log record's identity contains its part: the same records must split alike however they were compressed.
        const isPacked = signal !== 'logs' && kept === payload && packed !== undefined && packed.length <= partBytesMax;
        const parts = partsOf(signal, kept, bounds, scan.hours, isPacked ? packedPartBytesMax : partBytesMax);
        const batch = randomUUID();
        await deps.log.append(
          'telemetry',
          parts.map(({ bytes, hours }, part) => ({
            key: tenant.id,
            headers: toHeaders({
              tenant: tenant.id,
              tenantNumber: tenant.number,
              signal,
              encoding: 'otlp',
              receivedAt: receivedAtMs,
              credential: principal.id,
              batch,
              part,
              parts: parts.length,
              counts: hours,
              ...(part === 0 ? producedOf(numbers, scan.hours) : {}),
              ...keeping(limits, signal, principal),
            }),
            payload: bytes,
            ...(packed !== undefined && bytes === payload ? { packed } : {}),
          })),
        );
        deps.metrics.accepted(signal, scan.records, payload.length);
      }
      for (const [reason, count] of scan.rejected) deps.metrics.rejected(signal, reason, count, tenant.id);
      return { records: scan.records, rejected: scan.rejected };
    },
  };
}

/** How the tenant's data is kept and judged, as its limits say now: in the envelope, so that a replay stores the same rows. */
export function keeping(limits: TenantLimits, signal: keyof TenantLimits['retentionDays'], principal: Principal) {
  return {
    retentionDays: limits.retentionDays[signal],
    ...(principal.scopes.includes('backfill') ? {} : { lateAfterSeconds: limits.outOfOrderSeconds }),
  };
}

/** The credential decides the tenant: a resource that names another one refuses the whole request. */
function refuseForeignTenants(named: readonly string[], tenant: TenantRecord): void {
  if (named.every((id) => id === tenant.id)) return;
  throw new AppError(
    'ingest.tenant_mismatch',
    'a resource names another tenant in dotmac.tenant.id than the credential belongs to',
    { status: 403, field: 'resource.attributes["dotmac.tenant.id"]' },
  );
}

interface Part {
  readonly bytes: Uint8Array;
  readonly hours: readonly HourCount[];
}

function partsOf(
  signal: OtlpSignal,
  payload: Uint8Array,
  bounds: TimeBounds,
  hours: readonly HourCount[],
  wholeBytesMax: number,
): Part[] {
  const pieces = payload.length <= wholeBytesMax ? [payload] : splitOtlp(signal, payload, partBytesMax);
  if (pieces.length === 1) return [{ bytes: payload, hours }];
  // Each record of the log carries the counts of its own piece: the ledger compares record by record.
  return pieces
    .map((bytes) => ({ bytes, hours: scanOtlp(signal, bytes, bounds).hours }))
    .filter((part) => part.hours.length > 0);
}
