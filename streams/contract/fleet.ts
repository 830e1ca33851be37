import { z } from 'zod';
import { Tenant } from './tenant.ts';

/** One row of `GET /api/v1/analytics/fleet`: what the overview page shows a tenant by. A figure that could not be read or measured is null, never 0. */
export const FleetRow = z.object({
  tenant: Tenant,
  health: z.literal(['up', 'degraded', 'down', 'unmeasured']),
  lastSeenAt: z.string().nullable(),
  attainment: z.number().nullable(),
  budgetRemaining: z.number().nullable(),
  /** Seconds of bad time that the period's error budget still allows, negative when overspent; absent from a server that does not say. */
  budgetRemainingSeconds: z.number().nullable().optional(),
  customers: z.number().nullable(),
  /** Daily mean of active customers, oldest first, for the sparkline. */
  customersTrend: z.array(z.number().nullable()),
});
export type FleetRow = z.infer<typeof FleetRow>;
export const Fleet = z.object({ items: z.array(FleetRow), nextCursor: z.string().nullable() });
