import { Decimal, UsageEvent } from 'streams/contract';
import { defineQuery, type Store } from 'streams/store';
import { z } from 'zod';
import { meters } from './meters.ts';
import type { PageOf } from './ports.ts';

const file = (name: string) => new URL(`./sql/${name}.sql`, import.meta.url);
const Count = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);

/** What was told apart in the series or events behind one meter. Null where the meter's source cannot have it. */
export interface MeterQuality {
  readonly meter: string;
  readonly resets: number | null;
  readonly unknownStarts: number | null;
  readonly gaps: number | null;
  readonly gapSeconds: number | null;
  readonly overlaps: number | null;
  readonly late: number;
  readonly conflicts: number | null;
}

export interface UsageQuality {
  readonly meters: readonly MeterQuality[];
  /** Records of the whole signal that came again: they are counted before a meter looks at them. */
  readonly duplicates: { readonly metrics: number; readonly events: number };
}

/** An event as it stands, or as it came again. */
export type EventContent = Pick<UsageEvent, 'type' | 'subject' | 'time' | 'value' | 'attributes'>;

/** The same identity with other content: `kept` stands, `sent` came later and changed nothing. */
export interface UsageConflict {
  readonly source: string;
  readonly id: string;
  readonly receivedAt: string;
  /** Null when what stood under the identity is not kept any more. */
  readonly kept: EventContent | null;
  readonly sent: EventContent;
  readonly differs: readonly string[];
}

interface Range {
  readonly tenant: number;
  readonly startMs: number;
  readonly endMs: number;
}

function defineQueries() {
  const tenant = z.number().int();
  const ranged = z.object({ tenant, start: z.number().int().min(0), end: z.number().int().min(0) });
  return {
    series: defineQuery({
      file: file('series-quality'),
      params: ranged.extend({ metrics: z.string() }),
      row: z.object({
        metric: z.string(),
        resets: Count,
        unknown_starts: Count,
        gaps: Count,
        gap_seconds: Count,
        overlaps: Count,
        late: Count,
      }),
    }),
    events: defineQuery({
      file: file('event-quality'),
      params: ranged,
      row: z.object({ type: z.string(), late: Count, conflicts: Count }),
    }),
    duplicates: defineQuery({
      file: file('duplicates'),
      params: ranged,
      row: z.object({ signal: z.string(), duplicates: Count }),
    }),
    conflicts: defineQuery({
      file: file('conflicts'),
      params: ranged.extend({ skip: z.number().int().min(0), limit: z.number().int().min(1) }),
      row: z.object({ source: z.string(), id: z.string(), received_at: z.string(), payload: z.string() }),
    }),
    kept: defineQuery({
      file: file('kept-events'),
      params: z.object({ tenant, identities: z.string() }),
      row: z.object({
        source: z.string(),
        id: z.string(),
        type: z.string(),
        subject: z.string(),
        occurred_at: z.string(),
        value: z.string(),
        attributes: z.string(),
      }),
    }),
  };
}

const contentOf = ({ type, subject, time, value, attributes }: UsageEvent): EventContent => ({
  type,
  subject,
  time,
  value,
  attributes,
});
const millis = (instant: string) => new Date(Date.parse(instant)).toISOString();

/** Names of what differs; values are compared as decimals, times as instants. */
function differencesOf(kept: EventContent, sent: EventContent): string[] {
  const differs: string[] = [];
  if (kept.type !== sent.type) differs.push('type');
  if (kept.subject !== sent.subject) differs.push('subject');
  if (Date.parse(kept.time) !== Date.parse(sent.time)) differs.push('time');
  if (!Decimal.parse(kept.value).equals(Decimal.parse(sent.value))) differs.push('data.value');
  const names = new Set([...Object.keys(kept.attributes), ...Object.keys(sent.attributes)]);
  for (const name of [...names].toSorted()) {
    if (kept.attributes[name] !== sent.attributes[name]) differs.push(`data.${name}`);
  }
  return differs;
}

/** Reads how sure the figures are. *Errors* those of the store pass through. */
export function createClickHouseQualityReader(store: Store) {
  const queries = defineQueries();
  return {
    async quality({ tenant, startMs, endMs }: Range): Promise<UsageQuality> {
      const range = { tenant, start: Math.floor(startMs / 1000), end: Math.floor(endMs / 1000) };
      const metrics = meters.flatMap(({ source }) => (source.kind === 'events' ? [] : [source.metric]));
      const [series, events, repeated] = await Promise.all([
        store.query(queries.series, { ...range, metrics: JSON.stringify(metrics) }),
        store.query(queries.events, range),
        store.query(queries.duplicates, range),
      ]);
      const duplicatesOf = (signal: string) => repeated.find((row) => row.signal === signal)?.duplicates ?? 0;
      return {
        meters: meters.map(({ key, source }): MeterQuality => {
          if (source.kind === 'events') {
            const own = events.find(({ type }) => type === source.type);
            const none = { resets: null, unknownStarts: null, gaps: null, gapSeconds: null, overlaps: null };
            return { meter: key, ...none, late: own?.late ?? 0, conflicts: own?.conflicts ?? 0 };
          }
          const own = series.find(({ metric }) => metric === source.metric);
          const isCounter = source.kind === 'counter';
          return {
            meter: key,
            resets: isCounter ? (own?.resets ?? 0) : null,
            unknownStarts: isCounter ? (own?.unknown_starts ?? 0) : null,
            gaps: own?.gaps ?? 0,
            gapSeconds: own?.gap_seconds ?? 0,
            overlaps: isCounter ? (own?.overlaps ?? 0) : null,
            late: own?.late ?? 0,
            conflicts: null,
          };
        }),
        duplicates: { metrics: duplicatesOf('metrics'), events: duplicatesOf('events') },
      };
    },

    /** Conflicts received in the range, oldest first. */
    async conflicts({ tenant, startMs, endMs }: Range, page: PageOf): Promise<UsageConflict[]> {
      const rows = await store.query(queries.conflicts, { tenant, start: startMs, end: endMs, ...page });
      if (rows.length === 0) return [];
      const identities = JSON.stringify(rows.map(({ source, id }) => [source, id]));
      const standing = new Map(
        (await store.query(queries.kept, { tenant, identities })).map(
          ({ source, id, occurred_at, attributes, ...event }) => [
            JSON.stringify([source, id]),
            {
              ...event,
              time: millis(occurred_at),
              attributes: z.record(z.string(), z.string()).parse(JSON.parse(attributes)),
            },
          ],
        ),
      );
      return rows.map(({ source, id, received_at, payload }) => {
        const kept = standing.get(JSON.stringify([source, id])) ?? null;
        const sent = contentOf(UsageEvent.parse(JSON.parse(payload)));
        const differs = kept === null ? [] : differencesOf(kept, sent);
        return { source, id, receivedAt: millis(received_at), kept, sent, differs };
      });
    },
  };
}

export type QualityReader = ReturnType<typeof createClickHouseQualityReader>;
