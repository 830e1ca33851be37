import fc from 'fast-check';
import { expect, test } from 'vitest';
import { attain } from './attainment.ts';
import { localDays } from './local-days.ts';
import { defaultObjective } from './objectives.ts';

const start = Date.UTC(2026, 10, 1);
const first = start / 60_000;
const days = localDays(start, start + 3 * 86_400_000, 'UTC');
const runs = fc.array(
  fc.record({
    from: fc.integer({ min: -100, max: 4400 }),
    length: fc.integer({ min: 1, max: 300 }),
    bad: fc.boolean(),
  }),
  { maxLength: 20 },
);
const judge = (probes: { from: number; until: number; bad: boolean }[], nowMs: number) =>
  attain({ days, nowMs, probes, requests: [], objective: defaultObjective });

test('reordering, duplicating and splitting runs changes nothing; every elapsed second is counted once', () => {
  fc.assert(
    fc.property(runs, fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 1, max: 50 }), (list, minutes, cut) => {
      const nowMs = start + minutes * 60_000;
      const probes = list.map((r) => ({ from: first + r.from, until: first + r.from + r.length, bad: r.bad }));
      const result = judge(probes, nowMs);
      const split = probes.flatMap((r) => {
        const middle = Math.min(r.until, r.from + cut);
        return [{ ...r, from: middle }, r, { ...r, until: middle }];
      });
      expect(judge(split.reverse(), nowMs)).toEqual(result);
      const elapsed = result.measuredSeconds + result.unmeasuredSeconds;
      expect(Math.abs(elapsed - Math.min(minutes, 4320) * 60)).toBeLessThanOrEqual(60);
      expect(result.days.reduce((sum, day) => sum + day.badSeconds, 0)).toBe(result.badSeconds);
      expect(result.days.reduce((sum, day) => sum + day.measuredSeconds, 0)).toBe(result.measuredSeconds);
    }),
  );
});
