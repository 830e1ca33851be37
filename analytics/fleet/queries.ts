import { defineQuery } from 'streams/store';
import { z } from 'zod';

const tenants = z.array(z.number().int());
const tenantNumber = z.number();

/** See `sql/health_now.sql`. */
export const healthNowQuery = defineQuery({
  file: new URL('./sql/health_now.sql', import.meta.url),
  params: z.object({ tenants, start: z.number(), end: z.number() }),
  row: z.object({ tenantNumber, worst: z.number() }),
});

/** See `sql/last_seen.sql`. */
export const lastSeenQuery = defineQuery({
  file: new URL('./sql/last_seen.sql', import.meta.url),
  params: z.object({ tenants, since: z.number() }),
  row: z.object({ tenantNumber, lastSeenMs: z.number() }),
});

/** See `sql/latest_gauge.sql`. */
export const latestGaugeQuery = defineQuery({
  file: new URL('./sql/latest_gauge.sql', import.meta.url),
  params: z.object({ tenants, metric: z.string(), start: z.number(), end: z.number() }),
  row: z.object({ tenantNumber, value: z.number().nullable() }),
});
