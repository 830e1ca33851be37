import { StringCache } from './attribute-reader.ts';
import { decodeLogs } from './logs-decoder.ts';
import { MetricsDecoder } from './metrics-decoder.ts';
import type { OtlpDecoder } from './port.ts';
import { type IdentityHash, sha256 } from './series-identity.ts';
import { decodeTraces } from './traces-decoder.ts';

export interface OtlpDecoderOptions {
  /** Bound of the series cache; half of it is kept for certain, so set it to twice the series that are live at a time. */
  readonly maxSeries?: number;
  /** Hash of identities and metric names, at least 16 bytes; tests make it collide. */
  readonly hash?: IdentityHash;
}

/** Creates a decoder that owns a bounded series cache. See {@link OtlpDecoder}. */
export function createOtlpDecoder(options: OtlpDecoderOptions = {}): OtlpDecoder {
  const metrics = new MetricsDecoder(options.maxSeries ?? 500_000, options.hash ?? sha256);
  const strings = new StringCache();
  return {
    metrics: (payload, tenant, bounds) => metrics.decode(payload, tenant, bounds),
    takeMetrics: () => metrics.take(),
    recycle: (decoded) => metrics.recycle(decoded.points),
    traces: (payload, bounds) => decodeTraces(payload, bounds, strings),
    logs: (payload, bounds, part = 0) => decodeLogs(payload, bounds, strings, part),
  };
}
