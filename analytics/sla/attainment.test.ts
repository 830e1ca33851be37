import { describe, expect, test } from 'vitest';
import { attain, type ProbeRun } from './attainment.ts';
import { localDays } from './local-days.ts';
import { defaultObjective } from './objectives.ts';

const start = Date.UTC(2026, 10, 1);
const end = Date.UTC(2026, 11, 1);
const first = start / 60_000;
const days = localDays(start, end, 'UTC');
const run = (from: number, until: number, bad: boolean): ProbeRun => ({
  from: first + from,
  until: first + until,
  bad,
});
const report = (
  probes: ProbeRun[],
  nowMs: number,
  requests: { minute: number; requests: number; errors: number }[] = [],
) => attain({ days, nowMs, probes, requests, objective: defaultObjective });

describe('attainment', () => {
  test('60 one-minute checks with 3 down are 57/60 of 3600 measured seconds', () => {
    const result = report(
      [run(0, 10, false), run(10, 11, true), run(11, 40, false), run(40, 42, true), run(42, 60, false)],
      start + 120 * 60_000,
    );
    expect(result).toMatchObject({
      attainment: 57 / 60,
      measuredSeconds: 3600,
      unmeasuredSeconds: 3600,
      badSeconds: 180,
    });
    expect(result.budgetRemaining).toBeCloseTo(1 - 3 / (0.0005 * 60), 9);
    expect(result.days).toHaveLength(1);
  });

  test('the future is neither measured nor unmeasured', () => {
    const result = report([run(0, 1000, false)], start + 60 * 60_000);
    expect(result.measuredSeconds).toBe(61 * 60);
    expect(result.unmeasuredSeconds).toBe(0);
  });

  test('nothing measured has no attainment and no budget', () => {
    expect(report([], start + 3_600_000)).toMatchObject({
      attainment: null,
      budgetRemaining: null,
      measuredSeconds: 0,
      unmeasuredSeconds: 3600,
    });
  });

  test('failed requests make a measured minute bad from the minimum of requests on, and never an unmeasured one measured', () => {
    const requests = [
      { minute: first, requests: 100, errors: 5 },
      { minute: first + 1, requests: 100, errors: 6 },
      { minute: first + 2, requests: 9, errors: 9 },
      { minute: first + 30, requests: 100, errors: 100 },
    ];
    const result = report([run(0, 10, false)], start + 3_600_000, requests);
    expect(result.badSeconds).toBe(60);
    expect(result.measuredSeconds).toBe(600);
  });

  test('a day with a clock change has 23 hours and the month adds up', () => {
    const dublin = localDays(Date.UTC(2026, 2, 1), Date.UTC(2026, 2, 31, 23), 'Europe/Dublin');
    expect(dublin).toHaveLength(31);
    const change = dublin.find((day) => day.day === '2026-03-29');
    expect(((change?.endMs ?? 0) - (change?.startMs ?? 0)) / 3_600_000).toBe(23);
    for (const [i, day] of dublin.entries()) if (i > 0) expect(day.startMs).toBe(dublin[i - 1]?.endMs);
  });
});
