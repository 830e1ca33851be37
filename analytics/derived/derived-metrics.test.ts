import type { TenantRecord } from 'streams/contract';
import { expect, test } from 'vitest';
import { runningPeriod, toOtlp } from './derived-metrics.ts';

const tenant = (id: string, timeZone = 'UTC') => ({ id, number: 1, timeZone }) as unknown as TenantRecord;

test('a resource a tenant; a figure that does not exist is left out, never 0', () => {
  const request = toOtlp(
    [
      {
        tenant: tenant('isp-a'),
        period: '2026-11',
        sla: { attainment: 0.9995, budgetRemaining: -0.25, budgetRemainingSeconds: -60 },
      },
      {
        tenant: tenant('isp-b'),
        period: '2026-11',
        sla: { attainment: 1, budgetRemaining: null, budgetRemainingSeconds: 0 },
      },
    ],
    1_795_000_000_000,
  );
  const said = (
    (request?.['resourceMetrics'] ?? []) as {
      resource: unknown;
      scopeMetrics: { metrics: Record<string, unknown>[] }[];
    }[]
  ).map(({ scopeMetrics }) =>
    scopeMetrics.flatMap(({ metrics }) =>
      metrics.map(({ name, unit, gauge }) => [
        name,
        unit,
        (gauge as { dataPoints: { asDouble: number; timeUnixNano: string }[] }).dataPoints.map((point) => [
          point.asDouble,
          point.timeUnixNano,
        ]),
      ]),
    ),
  );
  const at = '1795000000000000000';
  expect(said).toEqual([
    [
      ['pulse.sla.attainment', '1', [[0.9995, at]]],
      ['pulse.error_budget.remaining', '1', [[-0.25, at]]],
    ],
    [['pulse.sla.attainment', '1', [[1, at]]]],
  ]);
  expect(toOtlp([], 0)).toBeNull();
});

test('the month runs in the zone of the tenant', () => {
  const at = Date.parse('2026-12-01T02:00:00Z');
  expect(runningPeriod(tenant('a', 'UTC'), at)).toBe('2026-12');
  expect(runningPeriod(tenant('a', 'America/New_York'), at)).toBe('2026-11');
});
