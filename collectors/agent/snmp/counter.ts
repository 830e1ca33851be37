/** What is kept of one counter of one interface between two readings. */
export interface CounterState {
  readonly raw: bigint;
  readonly bits: 32 | 64;
  /** Counted since `startMs`. Always below 2⁵³, so that it is exact as a number too. */
  readonly total: bigint;
  readonly startMs: number;
  readonly atMs: number;
  /** Which run of the device this belongs to. */
  readonly epoch: number;
  readonly discontinuity: number | null;
}

export interface CounterReading {
  readonly raw: bigint;
  readonly bits: 32 | 64;
  readonly atMs: number;
  readonly epoch: number;
  /** When the device's run began, by its sysUpTime. */
  readonly bootMs: number;
  /** ifCounterDiscontinuityTime; null where the device has none. */
  readonly discontinuity: number | null;
  /** The most that the line can add a second, null when unknown. *Units* of the counter. */
  readonly perSecondMax: number | null;
}

/** Why a point is what it is. */
export type CounterChange = 'first' | 'continued' | 'wrapped' | 'restarted' | 'reset';

const RANGE_32 = 2n ** 32n;
const HALF_32 = 2n ** 31n;
const EXACT_MAX = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * The counter after a reading: increases are added, a 32-bit wrap is carried, and whatever is no increase starts anew with a new start time.
 *
 * *Bias* never more than the line carried: an unknown beginning counts from zero at that reading, a restarted device adds the difference that is certain,
 * a fall that no wrap explains adds nothing, and of several wraps between two readings one is seen.
 * *Source* RFC 2863 §3.1.5 and §3.1.6 (discontinuities, 32 and 64 bits); OpenTelemetry metrics data model, "Cumulative streams: handling unknown start time".
 */
export function advanceCounter(
  previous: CounterState | undefined,
  reading: CounterReading,
): { readonly state: CounterState; readonly change: CounterChange } {
  if (previous === undefined) return { state: startAnew(reading, reading.atMs, 0n), change: 'first' };
  if (previous.bits !== reading.bits) return { state: startAnew(reading, reading.atMs, 0n), change: 'reset' };
  if (previous.epoch !== reading.epoch) return { state: afterRestart(previous, reading), change: 'restarted' };
  if (previous.discontinuity !== reading.discontinuity) {
    return { state: startAnew(reading, reading.atMs, 0n), change: 'reset' };
  }
  if (reading.raw >= previous.raw) {
    return { state: continued(previous, reading, reading.raw - previous.raw), change: 'continued' };
  }
  const wrapped = reading.bits === 32 ? reading.raw + RANGE_32 - previous.raw : undefined;
  if (wrapped !== undefined && isPossible(wrapped, reading, previous.atMs)) {
    return { state: continued(previous, reading, wrapped), change: 'wrapped' };
  }
  return { state: startAnew(reading, reading.atMs, 0n), change: 'reset' };
}

/** An agent may restart while the counters of the kernel below it go on, so only the difference is certain; a smaller value has certainly begun at zero. */
function afterRestart(previous: CounterState, reading: CounterReading): CounterState {
  const startMs = Math.min(Math.max(previous.atMs, reading.bootMs), reading.atMs);
  if (reading.raw >= previous.raw) return startAnew(reading, startMs, reading.raw - previous.raw);
  if (reading.perSecondMax !== null && isPossible(reading.raw, reading, reading.bootMs)) {
    return startAnew(reading, startMs, reading.raw);
  }
  return startAnew(reading, reading.atMs, 0n);
}

function continued(previous: CounterState, reading: CounterReading, increase: bigint): CounterState {
  const total = previous.total + increase;
  if (total > EXACT_MAX) return startAnew(reading, previous.atMs, increase);
  return startAnew(reading, previous.startMs, total);
}

function startAnew(reading: CounterReading, startMs: number, total: bigint): CounterState {
  const { raw, bits, atMs, epoch, discontinuity } = reading;
  return { raw, bits, total: total > EXACT_MAX ? 0n : total, startMs, atMs, epoch, discontinuity };
}

/** Whether the line can have carried so much: a tenth and a second more than it should, clocks and counters being read one after the other. */
function isPossible(increase: bigint, reading: CounterReading, sinceMs: number): boolean {
  if (reading.perSecondMax === null) return increase < HALF_32;
  const seconds = Math.max(reading.atMs - sinceMs, 0) / 1000 + 1;
  return Number(increase) <= reading.perSecondMax * seconds * 1.1;
}

/** sysUpTime, TimeTicks of 32 bits. *Units* hundredths of a second. */
const TICKS_RANGE = 2 ** 32;

/** Whether the device was restarted between two readings of its sysUpTime. *Shape* sysUpTime itself wraps after 497 days; that is no restart. */
export function hasRestarted(
  previous: { readonly upTimeTicks: number; readonly atMs: number },
  reading: { readonly upTimeTicks: number; readonly atMs: number },
): boolean {
  const elapsedTicks = Math.max(reading.atMs - previous.atMs, 0) / 10;
  const expected = previous.upTimeTicks + elapsedTicks;
  // two seconds and a thousandth: answers take time and clocks drift
  const tolerance = 200 + elapsedTicks / 1000;
  if (reading.upTimeTicks >= expected - tolerance) return false;
  return !(
    expected + tolerance >= TICKS_RANGE && Math.abs(reading.upTimeTicks - (expected - TICKS_RANGE)) <= tolerance
  );
}
