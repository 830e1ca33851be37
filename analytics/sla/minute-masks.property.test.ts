import fc from 'fast-check';
import { expect, test } from 'vitest';
import { attain } from './attainment.ts';
import { localDays } from './local-days.ts';
import { toHourMasks, toRuns } from './minute-masks.ts';
import { defaultObjective as objective } from './objectives.ts';

const start = Date.UTC(2026, 10, 1);
const first = start / 60_000;
const days = localDays(start, start + 2 * 86_400_000, 'UTC');
const run = fc
  .record({ from: fc.integer({ min: -70, max: 2900 }), length: fc.integer({ min: 1, max: 200 }), bad: fc.boolean() })
  .map(({ from, length, bad }) => ({ from: first + from, until: first + from + length, bad }));
const request = fc
  .record({ at: fc.integer({ min: 0, max: 2879 }), requests: fc.integer({ max: 30, min: 0 }), errors: fc.nat(5) })
  .map(({ at, requests, errors }) => ({ minute: first + at, requests, errors }));

test('a period judged from its hour masks is the period judged from runs and requests', () => {
  fc.assert(
    fc.property(fc.array(run, { maxLength: 15 }), fc.array(request, { maxLength: 40 }), (probes, requests) => {
      const judge = (input: { probes: typeof probes; requests: typeof requests }) =>
        attain({ days, nowMs: start + 3 * 86_400_000, objective, ...input });
      const masks = [...toHourMasks(probes, requests, objective)].map(([hour, pair]) => ({ hour, ...pair }));
      for (const { measured, bad } of masks) expect(bad & ~measured).toBe(0n);
      expect(judge({ probes: toRuns(masks), requests: [] })).toEqual(judge({ probes, requests }));
    }),
  );
});

test('the last minute of an hour and the first of the next fall into their own masks', () => {
  const masks = toHourMasks([{ from: 119, until: 121, bad: true }], [], objective);
  expect([...masks]).toEqual([
    [1, { measured: 1n << 59n, bad: 1n << 59n }],
    [2, { measured: 1n, bad: 1n }],
  ]);
});
