import { defineQuery, noParams } from 'streams/store';
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

/** A row of table `tenants`. *Units* `createdSeconds` since the epoch. */
export const TenantRow = z.object({
  tenantNumber: z.number(),
  id: z.string(),
  name: z.string(),
  tier: z.string(),
  plan: z.string(),
  region: z.string(),
  currency: z.string(),
  timeZone: z.string(),
  partner: z.string(),
  state: z.string(),
  createdSeconds: z.number(),
});
export type TenantRow = z.infer<typeof TenantRow>;

/** See `sql/tenant_rows.sql`. */
export const tenantRowsQuery = defineQuery({
  file: new URL('./sql/tenant_rows.sql', import.meta.url),
  params: noParams,
  row: TenantRow,
});
