import { z } from 'zod';
import { TenantId } from './tenant.ts';

/** Answer of `GET /api/v1/analytics/sla?tenant&period`. `attainment` is a fraction 0…1 of *measured* minutes, null when none was measured. */
export const SlaReport = z.object({
  tenant: TenantId,
  period: z.string(),
  timeZone: z.string(),
  objective: z.number(),
  attainment: z.number().nullable(),
  measuredSeconds: z.number().int(),
  unmeasuredSeconds: z.number().int(),
  badSeconds: z.number().int(),
  /** Fraction of the period's error budget that is left; negative when overspent; null when nothing was measured. */
  budgetRemaining: z.number().nullable(),
  days: z.array(
    z.object({
      day: z.string(),
      attainment: z.number().nullable(),
      measuredSeconds: z.number().int(),
      unmeasuredSeconds: z.number().int(),
      badSeconds: z.number().int(),
    }),
  ),
});
export type SlaReport = z.infer<typeof SlaReport>;

/** Answer of `GET /api/v1/analytics/forecast?tenant&metric&horizon=30`: history is measured, `forecast` is not. */
export const ForecastReport = z.object({
  tenant: TenantId,
  metric: z.string(),
  unit: z.string(),
  method: z.string(),
  interval: z.number(),
  history: z.array(z.tuple([z.number(), z.number()])),
  forecast: z.array(z.object({ time: z.number(), mean: z.number(), lower: z.number(), upper: z.number() })),
  reason: z.string(),
});
export type ForecastReport = z.infer<typeof ForecastReport>;
