/** A stretch of time sent at once, half-open, with the instants it is sampled at. */
export interface Window {
  readonly start: number;
  readonly end: number;
  readonly times: readonly number[];
  /** One trace and one ordinary log line for every whole one of these. */
  readonly traceEveryMs: number;
}

const MINUTE_MS = 60_000;
const FINE_MS = 3 * 86_400_000;
const TICKS_A_WINDOW = 144;

/**
 * Cuts [from, to) into windows, ascending: every 5 minutes, every minute in the last 3 days before `to`.
 * Windows lie on whole multiples of their length, so a resumed history is cut as an uninterrupted one.
 */
export function historyWindows(fromMs: number, toMs: number): Window[] {
  const fineFrom = Math.ceil((toMs - FINE_MS) / (5 * MINUTE_MS)) * 5 * MINUTE_MS;
  const windows: Window[] = [];
  for (let start = fromMs; start < toMs; ) {
    const step = start < fineFrom ? 5 * MINUTE_MS : MINUTE_MS;
    const length = step * TICKS_A_WINDOW;
    const limit = start < fineFrom ? Math.min(fineFrom, toMs) : toMs;
    const end = Math.min((Math.floor(start / length) + 1) * length, limit);
    const times: number[] = [];
    for (let time = Math.ceil(start / step) * step; time < end; time += step) times.push(time);
    windows.push({ start, end, times, traceEveryMs: step === MINUTE_MS ? 5 * MINUTE_MS : 20 * MINUTE_MS });
    start = end;
  }
  return windows;
}
