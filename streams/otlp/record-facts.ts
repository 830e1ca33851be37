import { bucketsFit, scaleFits } from './point-readers.ts';
import type { TimeBounds } from './port.ts';
import { exponentialHistogramDataPoint, type Field, histogramDataPoint, type MessageType, span } from './schema.ts';
import { type RejectReason, refusalOfTime } from './time-bounds.ts';
import { isId } from './traces-decoder.ts';

/** What decides about one record; filled while its message is walked. */
export class RecordFacts {
  timeMs = 0;
  observedMs = 0;
  isTimed = false;
  buckets = 0;
  bounds = 0;
  boundsHash = 0;
  scale = 0;
  traceId: Uint8Array | null = null;
  spanId: Uint8Array | null = null;

  reset(): void {
    this.timeMs = 0;
    this.observedMs = 0;
    this.isTimed = false;
    this.buckets = 0;
    this.bounds = 0;
    this.boundsHash = 0;
    this.scale = 0;
    this.traceId = null;
    this.spanId = null;
  }
}

/** Notes how many buckets or bounds a histogram point brings. */
export function countElements(type: MessageType, field: Field, elements: number, facts: RecordFacts): void {
  if (type !== histogramDataPoint) return;
  if (field.number === 6) facts.buckets += elements;
  else if (field.number === 7) facts.bounds += elements;
}

/** Why a record is refused by itself, as the decoder refuses it too; null when it is taken. */
export function refusalOfRecord(
  type: MessageType,
  timeMs: number,
  facts: RecordFacts,
  bounds: TimeBounds,
): RejectReason | null {
  const refusal = refusalOfTime(timeMs, bounds);
  if (refusal !== null) return refusal;
  if (type === span && !(isId(facts.traceId ?? new Uint8Array(0), 16) && isId(facts.spanId ?? new Uint8Array(0), 8)))
    return 'invalid_ids';
  if (type === exponentialHistogramDataPoint && !scaleFits(facts.scale)) return 'scale_out_of_range';
  return type === histogramDataPoint && !bucketsFit(facts.buckets, facts.bounds) ? 'bucket_mismatch' : null;
}
