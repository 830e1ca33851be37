import { createHash } from 'node:crypto';
import type { SeriesEntry } from './port.ts';

/** Gives at least 16 bytes for the canonical text of an identity, or for a metric name. */
export type IdentityHash = (text: string) => Uint8Array;

export const sha256: IdentityHash = (text) => createHash('sha256').update(text, 'utf8').digest();

export interface SeriesDescription {
  readonly metric: string;
  readonly kind: SeriesEntry['kind'];
  readonly temporality: SeriesEntry['temporality'];
  readonly monotonic: boolean;
  readonly unit: string;
  readonly scopeName: string;
  readonly scopeVersion: string;
  readonly resourceAttributes: ReadonlyMap<string, string>;
  readonly scopeAttributes: ReadonlyMap<string, string>;
  readonly pointAttributes: ReadonlyMap<string, string>;
  readonly bounds: readonly number[];
}

/**
 * The text whose hash is a series' identity: equal exactly for the same series, whatever order its attributes came in. Stored identities rest on it, so it never changes.
 *
 * *Shape* a JSON array; attributes as [name, value, …] sorted by name in UTF-16 code units; bounds as the shortest decimal that reads back.
 */
export function canonicalIdentity(series: SeriesDescription): string {
  return JSON.stringify([
    series.metric,
    series.kind,
    series.temporality,
    series.monotonic,
    series.unit,
    series.scopeName,
    series.scopeVersion,
    flat(series.resourceAttributes),
    flat(series.scopeAttributes),
    flat(series.pointAttributes),
    series.bounds.map(String),
  ]);
}

const flat = (attributes: ReadonlyMap<string, string>): string[] =>
  [...attributes].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).flat();

/** `hash16(metric) << 48 | hash48(identity)`: one metric of a tenant is one range of ids. */
export function seriesId(metricHash: Uint8Array, identity: Uint8Array): bigint {
  const metric = new DataView(metricHash.buffer, metricHash.byteOffset, metricHash.byteLength).getUint16(0);
  const own = new DataView(identity.buffer, identity.byteOffset, identity.byteLength).getBigUint64(0) >> 16n;
  return (BigInt(metric) << 48n) | own;
}
