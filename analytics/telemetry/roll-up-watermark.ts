import { rollUpWatermarkQuery } from './metric-queries.ts';
import type { BoundedReader } from './query-gate.ts';
import type { Instants } from './range-plan.ts';

const hourMs = 3_600_000;
/** A late point of an hour that was rolled up is seen so much later at most; the way from the door into the tables takes about as long. */
const rememberMs = 1_000;
const rememberedMax = 1_000;

/** Up to where roll-ups answer, remembered for a second a tenant and range of hours. */
export interface RollUpWatermark {
  /** The first hour whose batches are not rolled up; null when there is none. *Units* milliseconds. */
  firstDirty(reader: BoundedReader, tenant: number, range: Instants): Promise<number | null>;
}

export function createRollUpWatermark(elapsedMs: () => number): RollUpWatermark {
  const remembered = new Map<string, { readonly until: number; readonly firstDirty: number | null }>();
  return {
    async firstDirty(reader, tenant, range) {
      const start = Math.floor(range.start / hourMs) * hourMs;
      const end = Math.ceil(range.end / hourMs) * hourMs;
      const key = `${tenant} ${start} ${end}`;
      const known = remembered.get(key);
      if (known !== undefined && known.until > elapsedMs()) return known.firstDirty;
      const began = elapsedMs();
      const [row] = await reader.query(rollUpWatermarkQuery, { tenant, start, end });
      const firstDirty = row?.firstDirty ?? null;
      remembered.delete(key);
      remembered.set(key, { until: began + rememberMs, firstDirty });
      const oldest = remembered.size > rememberedMax ? remembered.keys().next().value : undefined;
      if (oldest !== undefined) remembered.delete(oldest);
      return firstDirty;
    },
  };
}
