import { z } from 'zod';

const Instant = z.iso.datetime({ offset: true });
const name = z.string().min(1).max(255);
const Labels = z.record(z.string().min(1).max(255), z.union([z.string(), z.number(), z.boolean()])).default({});

export const HealthCheck = z.object({
  component: name,
  status: z.literal(['up', 'degraded', 'down']),
  checkedAt: Instant,
  latencyMs: z.number().nonnegative().optional(),
  detail: z.string().max(4096).optional(),
});
export type HealthCheck = z.infer<typeof HealthCheck>;

export const MonitoringMetric = z.object({
  name,
  value: z.number(),
  unit: z.string().max(63).default(''),
  timestamp: Instant,
  attributes: Labels,
});
export type MonitoringMetric = z.infer<typeof MonitoringMetric>;

export const MonitoringAlert = z.object({
  name,
  severity: z.string().min(1).max(63),
  startsAt: Instant,
  endsAt: Instant.nullish(),
  labels: Labels,
  summary: z.string().max(4096).default(''),
});
export type MonitoringAlert = z.infer<typeof MonitoringAlert>;

const many = <T extends z.ZodType>(item: T) => z.array(item).min(1).max(10_000);

/** Bodies of the three endpoints: the array form, or one object without it. */
export const HealthChecksBody = z.union([z.object({ checks: many(HealthCheck) }), HealthCheck]);
export const MetricsBody = z.union([z.object({ metrics: many(MonitoringMetric) }), MonitoringMetric]);
export const AlertsBody = z.union([z.object({ alerts: many(MonitoringAlert) }), MonitoringAlert]);
