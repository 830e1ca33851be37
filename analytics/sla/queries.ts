import { defineQuery } from 'streams/store';
import { z } from 'zod';

const range = { tenants: z.array(z.number().int()), start: z.number().int(), end: z.number().int() };

/** See `sql/probe_runs.sql`. */
export const probeRunsQuery = defineQuery({
  file: new URL('./sql/probe_runs.sql', import.meta.url),
  params: z.object(range),
  row: z.object({ tenantNumber: z.number(), from: z.number(), until: z.number(), bad: z.boolean() }),
});

/** See `sql/error_minutes.sql`. */
export const errorMinutesQuery = defineQuery({
  file: new URL('./sql/error_minutes.sql', import.meta.url),
  params: z.object({ ...range, minimum: z.number(), limit: z.number() }),
  row: z.object({ tenantNumber: z.number(), minute: z.number(), requests: z.number(), errors: z.number() }),
});
