import { z } from 'zod';
import { defineQuery } from './define-query.ts';

const sqlFile = (name: string) => new URL(`./sql/ledger-${name}.sql`, import.meta.url);
/** Counts of the engine come as strings. */
export const count = z.coerce.number().int();

export const partsQuery = defineQuery({
  file: sqlFile('parts'),
  params: z.object({ tables: z.array(z.string()) }),
  row: z.object({ table: z.string(), name: z.string(), hash: z.string(), min_time: count, max_time: count }),
});
export const tablesQuery = defineQuery({
  file: sqlFile('tables'),
  params: z.object({ tables: z.array(z.string()) }),
  row: z.object({ name: z.string() }),
});
export const keptQuery = defineQuery({
  file: sqlFile('kept'),
  params: z.object({ fromDay: z.number().int(), toDay: z.number().int() }),
  row: z.object({
    source: z.string(),
    day: count,
    state: z.string(),
    version: z.string(),
    digest: z.string(),
    rows: count,
  }),
});
const digestRow = z.object({ source: z.string(), day: count, version: z.string(), rows: count, digest: z.string() });
const digestParams = z.object({ versions: z.string() });
export const countsDigest = defineQuery({ file: sqlFile('counts-digest'), params: digestParams, row: digestRow });
export const daysDigest = defineQuery({ file: sqlFile('days-digest'), params: digestParams, row: digestRow });
export const flyingQuery = defineQuery({
  file: sqlFile('flying'),
  params: z.object({ positions: z.string(), fromHour: z.number().int(), toHour: z.number().int() }),
  row: z.object({ signal: z.string(), tenant: z.number().int(), hour: count }),
});

export const figureColumns = z.object({
  tenant: z.number().int(),
  item: z.string(),
  hop: z.literal(['accepted', 'logged', 'stored', 'rolled_up', 'rated', 'invoiced']),
  handed: count,
  taken: count,
  duplicates: count,
  conflicts: count,
  handed_sum: z.string(),
  taken_sum: z.string(),
  duplicate_sum: z.string(),
  conflict_sum: z.string(),
  exact: count,
});
export const hourRow = figureColumns.extend({
  signal: z.string(),
  hour: count,
  state: count,
  handed_seconds: count,
  taken_seconds: count,
});
export const totalRow = figureColumns.extend({
  hours: count,
  balanced: count,
  pending: count,
  mismatched: count,
  named: z.array(count),
  signal: z.string(),
});
export const dayCountRow = z.object({ day: count, balanced: count, pending: count, mismatched: count });
