import { dampedTrend, meanMethod, seasonallyAdjusted, seasonalNaive, theta } from './methods.ts';
import { conformalWidths, type Method, rollingOrigin } from './rolling-origin.ts';
import { detectSeason } from './season.ts';

/** What to forecast. *Units* `interval` is the wanted coverage, 0…1; `season` counts steps, `auto` looks for one. */
export interface ForecastOptions {
  readonly horizon: number;
  readonly season: number | 'auto';
  readonly interval: number;
  /** Set when the quantity cannot be negative. */
  readonly nonNegative?: boolean;
}

/** One forecast. *Shape* `mean`, `lower` and `upper` have `horizon` finite values with lower ≤ mean ≤ upper. `reason` says in words why this method. */
export interface Forecast {
  readonly method: string;
  readonly season: number;
  readonly mean: readonly number[];
  readonly lower: readonly number[];
  readonly upper: readonly number[];
  readonly reason: string;
}

/** The longest history that is looked at; older values say little and cost time. */
const historyMax = 2_000;

/** Gaps are filled linearly between their neighbours and flat at the ends; null when no value is finite. */
function fillGaps(series: readonly (number | null)[]): { values: number[]; missing: number } | null {
  const known: number[] = [];
  for (const [i, value] of series.entries()) if (value !== null && Number.isFinite(value)) known.push(i);
  const first = known[0];
  if (first === undefined) return null;
  const last = known.at(-1) ?? first;
  const values: number[] = [];
  let missing = 0;
  let at = 0;
  for (let i = first; i <= last; i++) {
    const value = series[i];
    if (value !== null && value !== undefined && Number.isFinite(value)) {
      values.push(value);
      while ((known[at + 1] ?? Number.POSITIVE_INFINITY) <= i) at++;
      continue;
    }
    missing++;
    const left = known[at] ?? first;
    const right = known[at + 1] ?? last;
    const from = series[left] ?? 0;
    const to = series[right] ?? 0;
    values.push(from + ((to - from) * (i - left)) / (right - left));
  }
  return { values, missing };
}

function bounded(
  mean: readonly number[],
  widths: readonly number[],
  nonNegative: boolean,
): Pick<Forecast, 'mean' | 'lower' | 'upper'> {
  const floor = nonNegative ? 0 : -Number.MAX_VALUE;
  const clamp = (value: number): number => Math.min(Number.MAX_VALUE, Math.max(floor, value));
  return {
    mean: mean.map(clamp),
    lower: mean.map((value, h) => clamp(value - (widths[h] ?? 0))),
    upper: mean.map((value, h) => clamp(value + (widths[h] ?? 0))),
  };
}

interface Candidate {
  readonly name: string;
  readonly words: string;
  readonly method: Method;
}

function candidatesFor(season: number): Candidate[] {
  const pool: Candidate[] = [
    { name: 'naive', words: 'the last value repeated', method: seasonalNaive(1) },
    { name: 'mean', words: 'the mean', method: seasonallyAdjusted(meanMethod, season) },
    { name: 'theta', words: 'Theta', method: seasonallyAdjusted(theta, season) },
    { name: 'damped_trend', words: 'a damped trend', method: seasonallyAdjusted(dampedTrend, season) },
  ];
  if (season > 1) {
    pool.push({ name: 'seasonal_naive', words: 'the last season repeated', method: seasonalNaive(season) });
    pool.push({ name: 'theta_plain', words: 'Theta on the unadjusted values', method: theta });
  }
  return pool;
}

/** Too little history to judge methods: the last value, with a width from the steps seen so far. */
function fallback(values: readonly number[], options: ForecastOptions, reason: string): Forecast {
  const last = values.at(-1) ?? 0;
  const steps = values.slice(1).map((value, i) => Math.abs(value - (values[i] ?? 0)));
  const typical = steps.length === 0 ? Math.abs(last) * 0.1 : Math.max(...steps);
  const widths = Array.from({ length: options.horizon }, (_, h) => typical * Math.sqrt(h + 1));
  const mean = Array.from({ length: options.horizon }, () => last);
  return { method: 'naive', season: 1, ...bounded(mean, widths, options.nonNegative === true), reason };
}

/**
 * Forecasts a series with an interval: the method with the least error at forecasting its own past, widths from those errors.
 *
 * *Shape* null and non-finite values are gaps. *Bias* with fewer than 8 values or only gaps a stated fallback answers instead of failing; intervals err wide.
 */
export function forecast(series: readonly (number | null)[], options: ForecastOptions): Forecast {
  const filled = fillGaps(series);
  if (filled === null) return fallback([], options, 'no value is known: 0 without any evidence');
  const values = filled.values.slice(-historyMax);
  const gaps = filled.missing === 0 ? '' : `; ${filled.missing} missing values were filled between their neighbours`;
  const first = values[0] ?? 0;
  if (values.length < 8) {
    return fallback(
      values,
      options,
      `only ${values.length} values: too few to judge methods, the last value is repeated${gaps}`,
    );
  }
  if (values.every((value) => value === first)) {
    const mean = Array.from({ length: options.horizon }, () => first);
    return {
      method: 'constant',
      season: 1,
      ...bounded(mean, [], options.nonNegative === true),
      reason: `all ${values.length} values are equal${gaps}`,
    };
  }
  const fits = (season: number): boolean => season >= 2 && values.length >= 2 * season + 2;
  const hint = options.season === 'auto' ? undefined : options.season;
  const season = hint !== undefined && fits(hint) ? hint : detectSeason(values, hint);
  const historyMin = Math.max(4, season > 1 ? 2 * season : 0);
  const judged = candidatesFor(season)
    .map((candidate) => ({
      candidate,
      result: rollingOrigin(values, candidate.method, options.horizon, Math.min(historyMin, values.length - 1)),
    }))
    .sort((a, b) => a.result.meanAbsolute - b.result.meanAbsolute);
  const best = judged[0];
  if (best === undefined) return fallback(values, options, 'no method fits');
  const mean = best.candidate.method(values, options.horizon);
  const widths = conformalWidths(best.result.errors, options.interval);
  const seasonWords = season > 1 ? ` with a season of ${season} steps` : ' without a season';
  const short = hint !== undefined && hint > 1 && !fits(hint) ? `; fewer than two seasons of ${hint} are known` : '';
  return {
    method: best.candidate.name,
    season,
    ...bounded(mean, widths, options.nonNegative === true),
    reason: `${best.candidate.words}${seasonWords}: the least error of ${judged.length} methods at forecasting the last half of ${values.length} values${short}${gaps}`,
  };
}
