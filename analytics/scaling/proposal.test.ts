import { describe, expect, test } from 'vitest';
import { defaultScalingPolicy as policy } from './policy.ts';
import { judgeScaling } from './proposal.ts';

const nowMs = Date.UTC(2026, 10, 20, 12, 30);
const now = nowMs / 60_000;
const minutes = (cores: (i: number) => number, count = 20) =>
  Array.from({ length: count }, (_, i) => ({ minute: now - i, cores: cores(i) }));
const hours = (cores: number, count = 72) =>
  Array.from({ length: count }, (_, i) => ({ hour: Math.floor(nowMs / 3_600_000) - 1 - i, cores }));
const facts = {
  tier: 'small' as const,
  minutes: minutes(() => 0.5),
  hours: hours(0.5),
  newestMs: nowMs - 60_000,
  nowMs,
};

describe('scaling', () => {
  test('15 of 20 minutes above 80 % propose the next tier, 14 do not', () => {
    expect(judgeScaling({ ...facts, minutes: minutes((i) => (i < 15 ? 0.81 : 0.1)) }, policy)).toMatchObject({
      kind: 'propose',
      direction: 'out',
      tier: 'medium',
    });
    expect(judgeScaling({ ...facts, minutes: minutes((i) => (i < 14 ? 0.81 : 0.1)) }, policy).kind).toBe('steady');
    expect(judgeScaling({ ...facts, minutes: minutes(() => 0.8) }, policy).kind).toBe('steady');
  });

  test('stale or sparse telemetry freezes, however high the load was', () => {
    const high = minutes(() => 1);
    expect(judgeScaling({ ...facts, minutes: high, newestMs: nowMs - 301_000 }, policy)).toMatchObject({
      code: 'stale',
    });
    expect(judgeScaling({ ...facts, minutes: high.slice(1) }, policy)).toMatchObject({ code: 'too_little_data' });
    expect(judgeScaling({ ...facts, newestMs: null }, policy)).toMatchObject({ code: 'no_data' });
  });

  test('days below 20 % propose the smaller tier; one busy hour or unmeasured days do not', () => {
    const idle = { ...facts, minutes: minutes(() => 0.05), hours: hours(0.1) };
    expect(judgeScaling(idle, policy)).toMatchObject({ kind: 'propose', direction: 'in', tier: 'micro' });
    const busy = idle.hours.map((entry, i) => (i === 40 ? { ...entry, cores: 0.5 } : entry));
    expect(judgeScaling({ ...idle, hours: busy }, policy).kind).toBe('steady');
    expect(judgeScaling({ ...idle, hours: hours(0.1, 60) }, policy).kind).toBe('steady');
    expect(judgeScaling({ ...idle, tier: 'micro' }, policy).kind).toBe('steady');
  });

  test('the largest tier has nothing above it', () => {
    expect(judgeScaling({ ...facts, tier: 'xlarge', minutes: minutes(() => 8) }, policy).kind).toBe('steady');
  });
});
