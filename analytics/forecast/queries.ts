import { defineQuery } from 'streams/store';
import { z } from 'zod';

/** See `sql/daily_means.sql`. */
export const dailyMeansQuery = defineQuery({
  file: new URL('./sql/daily_means.sql', import.meta.url),
  params: z.object({ tenants: z.array(z.number().int()), metric: z.string(), start: z.number(), end: z.number() }),
  row: z.object({ tenantNumber: z.number(), dayMs: z.number(), mean: z.number().nullable() }),
});

/** See `sql/metric_unit.sql`. */
export const metricUnitQuery = defineQuery({
  file: new URL('./sql/metric_unit.sql', import.meta.url),
  params: z.object({ tenant: z.number().int(), metric: z.string() }),
  row: z.object({ unit: z.string() }),
});
