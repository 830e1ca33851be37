import type { Signal } from '../contract/index.ts';
import { AppError } from '../contract/index.ts';

/** Counts of one UTC hour of occurred-at inside a payload, as the door counted them: the ledger's "accepted". */
export interface HourCount {
  /** Start of the hour, seconds since the epoch. */
  readonly hour: number;
  readonly records: number;
  /** Exact sum of usage values as a decimal string; absent for telemetry. */
  readonly sum?: string;
}

/**
 * Numbers that a producer gave the records of one request, and how many of them the door accepted, by hour.
 *
 * *Shape* a resend carries the same numbers. `anchored`: the producer's numbers begin with 1, so what is missing before the first seen is known.
 */
export interface ProducedRange {
  /** One run of a sender, or the source of CloudEvents. */
  readonly producer: string;
  readonly first: number;
  readonly count: number;
  readonly anchored: boolean;
  readonly hours: readonly { readonly hour: number; readonly records: number }[];
}

/** What travels in the headers of every record on topic `telemetry`. */
export interface Envelope {
  readonly tenant: string;
  readonly tenantNumber: number;
  readonly signal: Signal;
  /** `otlp` = protobuf Export…ServiceRequest; `cloudevents` = JSON array of validated usage events. */
  readonly encoding: 'otlp' | 'cloudevents';
  /** Milliseconds since the epoch when ingest took the request. */
  readonly receivedAt: number;
  readonly credential: string;
  /** One request, also when it was split into several records. */
  readonly batch: string;
  readonly part: number;
  readonly parts: number;
  readonly counts: readonly HourCount[];
  /** Of the whole request, on its first part; absent when its sender numbers nothing. */
  readonly produced?: readonly ProducedRange[];
  /** How long the tenant keeps this signal, as its limits said at the door: a replay stores the same rows. Absent: the consumer's default. */
  readonly retentionDays?: number;
  /** Older than this at received-at is late; absent when the credential may backfill. */
  readonly lateAfterSeconds?: number;
}

/** Headers of a record: one JSON value under `pulse`, so that Kafka carries it in one header. */
export function toHeaders(envelope: Envelope): Record<string, string> {
  return { pulse: JSON.stringify(envelope) };
}

/** Reads the envelope back. *Errors* `log.envelope_invalid` (not retryable): the record is poison. */
export function fromHeaders(headers: Readonly<Record<string, string>>): Envelope {
  try {
    const value = JSON.parse(headers['pulse'] ?? '') as Envelope;
    if (typeof value.tenant === 'string' && Number.isInteger(value.tenantNumber)) return value;
  } catch {
    // falls through to the coded error
  }
  throw new AppError('log.envelope_invalid', 'the record has no readable envelope');
}
