import fc from 'fast-check';
import { expect, it } from 'vitest';
import { advanceCounter, type CounterState, hasRestarted } from './counter.ts';

const RANGE_32 = 2n ** 32n;
const RATE = 1e9 / 8;

/** A line of one gigabit a second: what it carries between two readings of at most ten seconds, less than a 32-bit counter's range. */
const step = fc.record({
  seconds: fc.integer({ min: 1, max: 10 }),
  load: fc.double({ min: 0, max: 1, noNaN: true }),
  happens: fc.constantFrom('nothing', 'nothing', 'nothing', 'restart to zero', 'daemon restart', 'cleared'),
});

function simulate(
  bits: 32 | 64,
  first: bigint,
  steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
) {
  const range = bits === 32 ? RANGE_32 : 2n ** 64n;
  let raw = first % range;
  let atMs = 1_000_000;
  let bootMs = 0;
  let epoch = 0;
  let previous: CounterState | undefined;
  let carried = 0n;
  let billed = 0n;
  let uncertain = false;
  const read = () => {
    const { state } = advanceCounter(previous, {
      raw,
      bits,
      atMs,
      epoch,
      bootMs,
      discontinuity: 0,
      perSecondMax: RATE,
    });
    // what a store counts: the rise within a start, the whole value of a later start
    billed += previous !== undefined && previous.startMs === state.startMs ? state.total - previous.total : state.total;
    if (previous !== undefined && state.startMs !== previous.startMs) {
      expect(state.startMs).toBeGreaterThanOrEqual(previous.atMs);
    }
    expect(state.startMs).toBeLessThanOrEqual(state.atMs);
    previous = state;
  };
  read();
  for (const { seconds, load, happens } of steps) {
    const bytes = BigInt(Math.floor(RATE * seconds * load));
    carried += bytes;
    atMs += seconds * 1000;
    if (happens === 'nothing') raw = (raw + bytes) % range;
    else uncertain = true;
    if (happens === 'restart to zero') {
      raw = bytes / 2n;
      epoch += 1;
      bootMs = atMs - (seconds * 1000) / 2;
    }
    if (happens === 'daemon restart') {
      raw = (raw + bytes) % range;
      epoch += 1;
      bootMs = atMs - 500;
    }
    if (happens === 'cleared') raw = bytes / 2n < raw ? bytes / 2n : 0n;
    read();
  }
  return { carried, billed, uncertain };
}

it('what is counted is what the line carried, wraps included, and never more when the device restarts or is cleared', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.array(step, { maxLength: 40 }), (first, steps) => {
      // a 64-bit counter does not wrap in the life of a device
      const run = simulate(64, first / 2n, steps);
      expect(run.billed).toBeLessThanOrEqual(run.carried);
      if (!run.uncertain) expect(run.billed).toBe(run.carried);
    }),
    { numRuns: 300 },
  );
});

it('32 bits: exact across wraps as long as nothing else happens', () => {
  const quiet = step.map((one) => ({ ...one, happens: 'nothing' as const }));
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: RANGE_32 - 1n }), fc.array(quiet, { maxLength: 60 }), (first, steps) => {
      const run = simulate(32, first, steps);
      expect(run.billed).toBe(run.carried);
    }),
    { numRuns: 300 },
  );
});

it('sysUpTime going on, across its own wrap too, is no restart; beginning again is one', () => {
  const ticks = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  fc.assert(
    fc.property(
      ticks,
      fc.integer({ min: 1, max: 3_600_000 }),
      fc.integer({ min: -900, max: 900 }),
      (up, elapsed, jitter) => {
        const previous = { upTimeTicks: up, atMs: 5_000_000 };
        const atMs = previous.atMs + elapsed;
        const goesOn = Math.round(up + (elapsed + jitter) / 10) % 2 ** 32;
        if (goesOn >= 0) expect(hasRestarted(previous, { upTimeTicks: goesOn, atMs })).toBe(false);
        const upSinceBoot = Math.floor(elapsed / 20);
        const isTold = up + elapsed / 10 - upSinceBoot > 300 + elapsed / 5_000 && up < 2 ** 32 - 400_000;
        if (isTold) expect(hasRestarted(previous, { upTimeTicks: upSinceBoot, atMs })).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});
