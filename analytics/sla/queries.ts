import { readFileSync } from 'node:fs';
import { defineQuery } from 'streams/store';
import { z } from 'zod';

const file = (name: string) => new URL(`./sql/${name}.sql`, import.meta.url);
const tenants = z.array(z.number().int());
const range = { tenants, start: z.number().int(), end: z.number().int() };
const digits = z.union([z.string(), z.number()]);
const Mask = digits.transform(BigInt);
const Offset = digits.transform(Number);

/** See `sql/probe_runs.sql`. */
export const probeRunsQuery = defineQuery({
  file: file('probe_runs'),
  params: z.object(range),
  row: z.object({ tenantNumber: z.number(), from: z.number(), until: z.number(), bad: z.boolean() }),
});

/** See `sql/error_minutes.sql`. */
export const errorMinutesQuery = defineQuery({
  file: file('error_minutes'),
  params: z.object({ ...range, minimum: z.number(), limit: z.number() }),
  row: z.object({ tenantNumber: z.number(), minute: z.number(), requests: z.number(), errors: z.number() }),
});

/** See `sql/due_hours.sql`. */
export const dueHoursQuery = defineQuery({
  file: file('due_hours'),
  params: z.object({ partition: z.number().int(), from: z.number().int(), to: z.number().int() }),
  row: z.object({ tenant: z.number(), hour: z.number() }),
});

/** See `sql/stored_hours.sql`. */
export const storedHoursQuery = defineQuery({
  file: file('stored_hours'),
  params: z.object({ tenants, from: z.number().int(), to: z.number().int() }),
  row: z.object({ tenant: z.number(), hour: z.number() }),
});

/** See `sql/read_positions.sql`. */
export const readPositionsQuery = defineQuery({
  file: file('read_positions'),
  params: z.object({}),
  row: z.object({ partition: z.number(), reached: Offset }),
});

/** See `sql/hour_masks.sql`. */
export const hourMasksQuery = defineQuery({
  file: file('hour_masks'),
  params: z.object({ tenants, from: z.number().int(), to: z.number().int() }),
  row: z.object({ tenantNumber: z.number(), hour: Offset, measured: Mask, bad: Mask }),
});

/** See `sql/minute_totals.sql`. */
export const minuteTotalsQuery = defineQuery({
  file: file('minute_totals'),
  params: z.object({ tenants, firsts: z.array(z.number().int()), lasts: z.array(z.number().int()) }),
  row: z.object({ tenantNumber: z.number(), measuredMinutes: z.number(), badMinutes: z.number() }),
});

/** Statement of `sql/mark_read.sql`. */
export const markRead = readFileSync(file('mark_read'), 'utf8');
/** Statement of `sql/mark_position.sql`. */
export const markPosition = readFileSync(file('mark_position'), 'utf8');
