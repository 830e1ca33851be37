import { AppError, Decimal } from 'streams/contract';
import { defineQuery, type Query, type Store } from 'streams/store';
import { z } from 'zod';
import { createPositionReader } from './clickhouse-metering-store.ts';
import type { RawRow, UsageRange, UsageReader } from './ports.ts';

const file = (name: string) => new URL(`./sql/${name}.sql`, import.meta.url);

const Exact = z.string().transform((text) => Decimal.parse(text));
const Count = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);
const ranged = {
  tenant: z.number().int(),
  start: z.number().int().min(0),
  end: z.number().int().min(0),
};
const cutOff = { ...ranged, known_at: z.string() };
const paged = { skip: z.number().int().min(0), limit: z.number().int().min(1) };

function defineQueries() {
  return {
    refused: defineQuery({
      file: file('refused-hours'),
      params: z.object(ranged),
      row: z.object({ signal: z.string(), hour: z.string(), refused: z.string() }),
    }),
    totals: defineQuery({
      file: file('meter-totals'),
      params: z.object(cutOff),
      row: z.object({ meter: z.string(), value: Exact, seconds: Exact, events: Count }),
    }),
    facts: defineQuery({
      file: file('meter-facts'),
      params: z.object({ ...cutOff, meter: z.string(), ...paged }),
      row: z.object({
        bucket_start: z.string(),
        subject: z.string(),
        value: Exact,
        seconds: Exact,
        events: Count,
        log_partition: z.number().int(),
        version: z.string(),
      }),
    }),
    transactions: defineQuery({
      file: file('transactions'),
      params: z.object({ ...cutOff, type: z.string() }),
      row: z.object({ amount: Exact, transactions: Exact }),
    }),
    events: defineQuery({
      file: file('usage-events'),
      params: z.object({ ...cutOff, type: z.string(), ...paged }),
      row: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
    }),
    samples: defineQuery({
      file: file('samples'),
      params: z.object({ ...ranged, metric: z.string(), ...paged }),
      row: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
    }),
  };
}

const rangeOf = ({ tenant, startMs, endMs }: UsageRange) => ({
  tenant,
  start: Math.floor(startMs / 1000),
  end: Math.floor(endMs / 1000),
});
const cutOffOf = (range: UsageRange) => ({
  ...rangeOf(range),
  known_at: JSON.stringify(range.knownAt.map(({ partition, next }) => [partition, next])),
});

/** Reads of the billing facts on the ClickHouse port. *Errors* those of the port pass through: a failed read is never 0. */
export function createClickHouseUsageReader(store: Store): UsageReader {
  const queries = defineQueries();
  async function rawPage<P extends Record<string, unknown>>(query: Query<P, RawRow>, parameters: P) {
    return { query: query.sql, parameters, rows: await store.query(query, parameters) };
  }
  return {
    completed: createPositionReader(store),
    async totals(range) {
      const [refused] = await store.query(queries.refused, rangeOf(range));
      if (refused !== undefined) {
        throw new AppError(
          'billing.hour_refused',
          `the ${refused.signal} of hour ${refused.hour} cannot be metered (${refused.refused}); nothing is stated over it`,
          { status: 409, context: { ...refused, tenant: range.tenant } },
        );
      }
      const rows = await store.query(queries.totals, cutOffOf(range));
      return new Map(rows.map(({ meter, ...total }) => [meter, total]));
    },
    async facts(range, meter, page) {
      const parameters = { ...cutOffOf(range), meter, ...page };
      const rows = await store.query(queries.facts, parameters);
      return {
        query: queries.facts.sql,
        parameters,
        rows: rows.map(({ bucket_start, log_partition, ...row }) => ({
          ...row,
          bucket: bucket_start,
          partition: log_partition,
        })),
      };
    },
    async transactions(range, type) {
      const rows = await store.query(queries.transactions, { ...cutOffOf(range), type });
      return rows.map(({ amount, transactions }) => ({ amount, count: transactions }));
    },
    events: (range, type, page) => rawPage(queries.events, { ...cutOffOf(range), type, ...page }),
    samples: (range, metric, page) => rawPage(queries.samples, { ...rangeOf(range), metric, ...page }),
  };
}
