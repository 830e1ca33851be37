import { periodAt, type TenantRecord } from 'streams/contract';
import type { SlaSummary } from '../sla/sla-reader.ts';

/** What is said of a tenant in its running month. */
export interface DerivedFigures {
  readonly tenant: TenantRecord;
  readonly period: string;
  readonly sla: SlaSummary;
}

interface Gauge {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  value(figures: DerivedFigures): number | null;
}

/** Results that go back out as metrics, by the names of the conventions. A figure that does not exist is left out, never 0. */
const gauges: readonly Gauge[] = [
  {
    name: 'pulse.sla.attainment',
    unit: '1',
    description: 'Part of the measured minutes of the running month that were good',
    value: ({ sla }) => sla.attainment,
  },
  {
    name: 'pulse.error_budget.remaining',
    unit: '1',
    description: 'Part of the error budget of the running month that is left; negative when it is overspent',
    value: ({ sla }) => sla.budgetRemaining,
  },
];

/** The month that runs at an instant in a tenant's zone, such as `2026-11`. */
export function runningPeriod(tenant: Pick<TenantRecord, 'timeZone'>, nowMs: number): string {
  return periodAt(nowMs, tenant.timeZone).period;
}

const attribute = (key: string, value: string) => ({ key, value: { stringValue: value } });

/** An OTLP request in the shape of OTLP/JSON: a resource a tenant, a gauge a figure. Null: there is nothing to say. *Units* `nowMs` in milliseconds since the epoch. */
export function toOtlp(all: readonly DerivedFigures[], nowMs: number): Record<string, unknown> | null {
  if (all.length === 0) return null;
  const timeUnixNano = `${nowMs}000000`;
  return {
    resourceMetrics: all.map((figures) => ({
      resource: {
        attributes: [
          attribute('service.namespace', 'dotmac'),
          attribute('service.name', 'pulse'),
          attribute('dotmac.tenant.id', figures.tenant.id),
        ],
      },
      scopeMetrics: [
        {
          scope: { name: 'pulse.derived' },
          metrics: gauges.flatMap(({ name, unit, description, value }) => {
            const asDouble = value(figures);
            if (asDouble === null) return [];
            const attributes = [attribute('pulse.period', figures.period)];
            return [{ name, unit, description, gauge: { dataPoints: [{ timeUnixNano, asDouble, attributes }] } }];
          }),
        },
      ],
    })),
  };
}
