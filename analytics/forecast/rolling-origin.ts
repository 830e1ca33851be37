/** Makes a forecast of `horizon` steps from the values alone. */
export type Method = (values: readonly number[], horizon: number) => number[];

/** Errors of a method by steps ahead: `errors[h]` holds |actual − forecast| at step h + 1. */
export interface OriginErrors {
  readonly errors: readonly (readonly number[])[];
  readonly meanAbsolute: number;
}

const originsMax = 24;

/**
 * Forecasts the end of a series again and again from earlier origins and measures the errors; the forecast never sees what it is judged by.
 *
 * *Shape* at most 24 origins, evenly spaced, none with less history than `historyMin`. *Source* Tashman, "Out-of-sample tests of forecasting accuracy", 2000.
 */
export function rollingOrigin(
  values: readonly number[],
  method: Method,
  horizon: number,
  historyMin: number,
): OriginErrors {
  const errors: number[][] = Array.from({ length: horizon }, () => []);
  const firstOrigin = Math.max(historyMin, Math.floor(values.length / 2) - horizon);
  const lastOrigin = values.length - 1;
  const stride = Math.max(1, Math.ceil((lastOrigin - firstOrigin + 1) / originsMax));
  let total = 0;
  let count = 0;
  for (let origin = lastOrigin; origin >= firstOrigin; origin -= stride) {
    const ahead = Math.min(horizon, values.length - origin);
    const predicted = method(values.slice(0, origin), ahead);
    for (let h = 0; h < ahead; h++) {
      const error = Math.abs((values[origin + h] ?? 0) - (predicted[h] ?? 0));
      errors[h]?.push(error);
      total += error;
      count++;
    }
  }
  return { errors, meanAbsolute: count === 0 ? Number.POSITIVE_INFINITY : total / count };
}

/**
 * Half-width of the interval at each step: the conformal quantile of the absolute errors at that distance, never narrower than at a shorter one.
 *
 * *Bias* rank ⌈(n + 1) × level⌉ errs wide; where fewer than 8 errors are known at a distance, the nearest shorter distances lend theirs, scaled by the square root of the distance,
 * and where the rank is beyond the largest error that error is scaled by the normal quantile.
 * *Source* Vovk et al., split conformal prediction.
 */
export function conformalWidths(errors: readonly (readonly number[])[], level: number): number[] {
  const widths: number[] = [];
  for (let h = 0; h < errors.length; h++) {
    const pool: number[] = [];
    for (let k = h; k >= 0 && pool.length < 16; k--) {
      const scale = Math.sqrt((h + 1) / (k + 1));
      for (const error of errors[k] ?? []) pool.push(error * scale);
    }
    pool.sort((a, b) => a - b);
    const rank = Math.ceil((pool.length + 1) * level);
    const largest = pool.at(-1) ?? 0;
    const width = rank <= pool.length ? (pool[rank - 1] ?? largest) : largest * 1.25;
    widths.push(Math.max(width, widths[h - 1] ?? 0));
  }
  return widths;
}
