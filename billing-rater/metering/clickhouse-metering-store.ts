import { readFileSync } from 'node:fs';
import { AppError } from 'streams/contract';
import { defineQuery, executeCounterStatement, type Store } from 'streams/store';
import { z } from 'zod';
import type { Position } from './known-at.ts';
import { type Meter, meters } from './meters.ts';
import type { DueHour, HourWork, MeteringStore } from './ports.ts';

const file = (name: string) => new URL(`./sql/${name}.sql`, import.meta.url);
const hourSeconds = 3600;
/** One statement reads at most a chunk of tenant-hours; generous for a slow machine. */
const writeOptions = { timeoutSeconds: 120 };
/** MEMORY_LIMIT_EXCEEDED: less at a time may fit. */
const memoryLimitCode = '241';

const Unsigned = z.union([z.string().regex(/^\d{1,15}$/), z.number().int().min(0)]).transform(Number);

/** Event types and metrics that the meters read, as the statements take them. */
function sourcesOf(all: readonly Meter[]) {
  const types = all.flatMap(({ key, source, bySubject }) =>
    source.kind === 'events' ? [[source.type, key, bySubject ? 1 : 0] as const] : [],
  );
  const metricsOf = (kind: 'metric' | 'counter') =>
    all.flatMap(({ key, source }) => (source.kind === kind ? [[source.metric, key] as const] : []));
  return {
    types: JSON.stringify(types),
    metrics: JSON.stringify(metricsOf('metric')),
    counters: JSON.stringify(metricsOf('counter')),
  };
}

/** Reads how far metering is complete; shared by the job and by whoever needs a known-at. */
export function createPositionReader(store: Store) {
  const completedPositions = defineQuery({
    file: file('completed-positions'),
    params: z.object({}),
    row: z.object({ partition: z.number().int(), next: Unsigned, at_ms: Unsigned }),
  });
  return async (): Promise<{ positions: Position[]; at: number | null }> => {
    const rows = await store.query(completedPositions, {});
    return {
      positions: rows.map(({ partition, next }) => ({ partition, next })),
      at: rows.length === 0 ? null : Math.max(...rows.map((row) => row.at_ms)),
    };
  };
}

/** The metering job's store on the ClickHouse port. Statements are idempotent by key: facts and marks of the same version are the same rows. */
export function createClickHouseMeteringStore(store: Store): MeteringStore {
  const dueHours = defineQuery({
    file: file('due-hours'),
    params: z.object({ ranges: z.string() }),
    row: z.object({
      signal: z.literal(['metrics', 'events']),
      tenant: z.number().int(),
      hour: Unsigned,
      version: Unsigned,
      partition: z.number().int(),
    }),
  });
  const statement = (name: string) => readFileSync(file(name), 'utf8');
  const sumFacts = statement('insert-sum-facts');
  const timeWeightedFacts = statement('insert-time-weighted-facts');
  const counterFacts = statement('insert-counter-facts');
  const counterTenants = defineQuery({
    file: file('counter-tenants'),
    params: z.object({ tenants: z.string(), metrics: z.string() }),
    row: z.object({ tenant: z.number().int() }),
  });
  const markMetered = statement('mark-metered');
  const completePositions = statement('complete-positions');
  const { types, metrics, counters } = sourcesOf(meters);
  const counterMetrics = meters.flatMap(({ source }) => (source.kind === 'counter' ? [source.metric] : []));

  async function writeCounterFacts(work: readonly HourWork[], parameters: Readonly<Record<string, unknown>>) {
    const tenants = JSON.stringify([...new Set(work.map(({ tenant }) => tenant))]);
    const metrics = JSON.stringify(counterMetrics);
    if ((await store.query(counterTenants, { tenants, metrics })).length === 0) return;
    await executeCounterStatement(store, counterFacts, { ...parameters, counters }, writeOptions);
  }

  return {
    completed: createPositionReader(store),
    due: (ranges) =>
      store.query(dueHours, { ranges: JSON.stringify(ranges.map(({ partition, from, to }) => [partition, from, to])) }),
    async writeFacts(signal, work: readonly HourWork[]) {
      if (work.length === 0) return;
      const starts = work.map(({ hour }) => hour);
      const parameters = {
        hours: JSON.stringify(
          work.map((one) => [one.tenant, one.hour, one.version, one.partition, one.position, one.completed]),
        ),
        from: Math.min(...starts),
        to: Math.max(...starts) + hourSeconds,
      };
      try {
        if (signal === 'events') await store.execute(sumFacts, { ...parameters, types }, writeOptions);
        else {
          await store.execute(timeWeightedFacts, { ...parameters, metrics }, writeOptions);
          await writeCounterFacts(work, parameters);
        }
      } catch (cause) {
        if (!(cause instanceof AppError) || cause.context['engineCode'] !== memoryLimitCode) throw cause;
        throw new AppError(
          'billing.chunk_too_large',
          `${work.length} hours do not fit into the memory of one statement`,
          {
            cause,
          },
        );
      }
    },
    async markMetered(hours: readonly DueHour[], refused: string) {
      const marks = hours.map((due) => [due.signal, due.tenant, due.hour, due.version + 1, due.partition, refused]);
      await store.execute(markMetered, { hours: JSON.stringify(marks) });
    },
    async complete(positions, at) {
      const rows = positions.map(({ partition, next }) => [partition, next]);
      await store.execute(completePositions, { positions: JSON.stringify(rows), at });
    },
  };
}
