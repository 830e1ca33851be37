import { defaultLimits } from 'streams/contract';
import { expect, test } from 'vitest';
import { SeriesCensus } from './series-census.ts';

const start = Date.UTC(2026, 10, 21, 10);
const minute = 60_000;
const cold = { maxSeries: 10_000_000, warmUntilMs: 0 };
/** Hashes as the scan gives them: spread over both words. */
const hash = (i: number): [number, number] => [Math.imul(i + 1, 0x9e3779b1), Math.imul(i + 7, 0x85ebca77)];
const limits = (own: Partial<typeof defaultLimits>) => ({ ...defaultLimits, newSeriesPerSecond: 1_000_000, ...own });

/** Sends series `from` to `to` and counts the answers. */
function send(census: SeriesCensus, tenant: string, own: typeof defaultLimits, from: number, to: number, atMs = start) {
  const gate = census.gate(tenant, own, atMs);
  const answers: Record<string, number> = { taken: 0 };
  for (let i = from; i < to; i++) {
    const answer = gate.judge(...hash(i)) ?? 'taken';
    answers[answer] = (answers[answer] ?? 0) + 1;
  }
  return answers;
}

test('the cap is exact, known series go on, and another tenant loses nothing', () => {
  const census = new SeriesCensus(cold);
  const own = limits({ activeSeries: 20_000 });
  expect(send(census, 'noisy', own, 0, 100_000)).toEqual({ taken: 20_000, series_limit: 80_000 });
  expect(send(census, 'noisy', own, 0, 20_000, start + 5 * minute)).toEqual({ taken: 20_000 });
  expect(send(census, 'quiet', own, 0, 20_000)).toEqual({ taken: 20_000 });
  expect([census.active('noisy'), census.totals().active]).toEqual([20_000, 40_000]);
});

test('a series is active for an hour after its last point, to the minute', () => {
  const census = new SeriesCensus(cold);
  const own = limits({ activeSeries: 10 });
  send(census, 't', own, 0, 10);
  expect(send(census, 't', own, 0, 5, start + 30 * minute)).toEqual({ taken: 5 });
  expect(send(census, 't', own, 10, 12, start + 59 * minute)).toEqual({ taken: 0, series_limit: 2 });
  expect(send(census, 't', own, 10, 20, start + 60 * minute)).toEqual({ taken: 5, series_limit: 5 });
  // One that fell silent and comes back is new again.
  expect(send(census, 't', own, 9, 10, start + 61 * minute)).toEqual({ taken: 0, series_limit: 1 });
  expect(send(census, 't', own, 9, 10, start + 90 * minute)).toEqual({ taken: 1 });
});

test('new series come at their rate, and at any rate while the process is warming up', () => {
  const own = { ...defaultLimits, newSeriesPerSecond: 10 };
  const census = new SeriesCensus(cold);
  expect(send(census, 't', own, 0, 150)).toEqual({ taken: 100, new_series_rate: 50 });
  expect(send(census, 't', own, 100, 150, start + 2000)).toEqual({ taken: 20, new_series_rate: 30 });
  const warming = new SeriesCensus({ ...cold, warmUntilMs: start + 1 });
  expect(send(warming, 't', own, 0, 150)).toEqual({ taken: 150 });
});

test('memory follows the active series, and a silent tenant is forgotten', () => {
  const census = new SeriesCensus(cold);
  const own = limits({ activeSeries: 50_000 });
  // Other series every hour: the table does not grow with all that ever were.
  for (let hour = 0; hour < 20; hour++)
    send(census, 't', own, hour * 50_000, (hour + 1) * 50_000, start + hour * 61 * minute);
  expect(census.active('t')).toBe(50_000);
  expect(census.totals().bytes / 50_000).toBeLessThan(36);
  census.gate('other', own, start + 22 * 61 * minute);
  expect(census.totals()).toEqual({ active: 0, bytes: 256 * 12 });
});

test('when all tenants together have too many, those below their equal share still get theirs', () => {
  const census = new SeriesCensus({ ...cold, maxSeries: 1000 });
  const own = limits({});
  expect(send(census, 'a', own, 0, 2000)).toEqual({ taken: 1000, series_limit: 1000 });
  expect(send(census, 'b', own, 0, 2000)).toEqual({ taken: 500, series_limit: 1500 });
  expect(census.totals().active).toBe(1500);
});

test('a clock that goes back forgets nothing and lets nothing more in', () => {
  const census = new SeriesCensus(cold);
  const own = limits({ activeSeries: 10 });
  send(census, 't', own, 0, 10);
  expect(send(census, 't', own, 0, 11, start - 10 * minute)).toEqual({ taken: 10, series_limit: 1 });
});
