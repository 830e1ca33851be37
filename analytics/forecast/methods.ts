import type { Method } from './rolling-origin.ts';

/** Repeats the last season; with a season of 1, the last value. */
export function seasonalNaive(season: number): Method {
  return (values, horizon) =>
    Array.from({ length: horizon }, (_, h) => values[values.length - season + (h % season)] ?? values.at(-1) ?? 0);
}

/** The mean of all values. */
export const meanMethod: Method = (values, horizon) => {
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  return Array.from({ length: horizon }, () => mean);
};

/** Level after simple exponential smoothing, and its one-step squared error. */
function smooth(values: readonly number[], alpha: number): { level: number; squared: number } {
  let level = values[0] ?? 0;
  let squared = 0;
  for (let i = 1; i < values.length; i++) {
    const error = (values[i] ?? 0) - level;
    squared += error * error;
    level += alpha * error;
  }
  return { level, squared };
}

function bestAlpha(values: readonly number[]): number {
  let best = 0.1;
  let least = Number.POSITIVE_INFINITY;
  for (const alpha of [0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 0.99]) {
    const { squared } = smooth(values, alpha);
    if (squared < least) {
      least = squared;
      best = alpha;
    }
  }
  return best;
}

/** Slope of the least-squares line. *Units* a step. */
export function slopeOf(values: readonly number[]): number {
  const n = values.length;
  if (n < 2) return 0;
  const middle = (n - 1) / 2;
  let cross = 0;
  let square = 0;
  for (let i = 0; i < n; i++) {
    cross += (i - middle) * (values[i] ?? 0);
    square += (i - middle) ** 2;
  }
  return cross / square;
}

/** The Theta method: exponential smoothing with half of the linear trend as drift. *Source* Assimakopoulos and Nikolopoulos 2000; Hyndman and Billah 2003. */
export const theta: Method = (values, horizon) => {
  const alpha = bestAlpha(values);
  const { level } = smooth(values, alpha);
  const drift = slopeOf(values) / 2;
  const lag = (1 - (1 - alpha) ** values.length) / alpha;
  return Array.from({ length: horizon }, (_, h) => level + drift * (h + lag));
};

/** Holt's linear trend, damped by 0.9 a step, its weights chosen by one-step error. *Source* Gardner and McKenzie 1985. */
export const dampedTrend: Method = (values, horizon) => {
  const damping = 0.9;
  let best = { level: values.at(-1) ?? 0, trend: 0, squared: Number.POSITIVE_INFINITY };
  for (const alpha of [0.1, 0.3, 0.6, 0.9]) {
    for (const beta of [0.02, 0.1, 0.3]) {
      let level = values[0] ?? 0;
      let trend = 0;
      let squared = 0;
      for (let i = 1; i < values.length; i++) {
        const expected = level + damping * trend;
        const error = (values[i] ?? 0) - expected;
        squared += error * error;
        level = expected + alpha * error;
        trend = damping * trend + alpha * beta * error;
      }
      if (squared < best.squared) best = { level, trend, squared };
    }
  }
  let damped = 0;
  return Array.from({ length: horizon }, (_, h) => {
    damped += damping ** (h + 1);
    return best.level + damped * best.trend;
  });
};

/** Additive seasonal figures around a centred moving average, summing to zero. *Shape* index = position modulo the season. */
export function seasonalFigures(values: readonly number[], season: number): number[] {
  const half = Math.floor(season / 2);
  const sums = Array.from({ length: season }, () => ({ sum: 0, count: 0 }));
  const prefix = [0];
  for (const value of values) prefix.push((prefix.at(-1) ?? 0) + value);
  const sumOf = (from: number, until: number): number => (prefix[until] ?? 0) - (prefix[from] ?? 0);
  for (let i = half; i + half < values.length; i++) {
    const window =
      season % 2 === 1
        ? sumOf(i - half, i + half + 1)
        : sumOf(i - half + 1, i + half) + ((values[i - half] ?? 0) + (values[i + half] ?? 0)) / 2;
    const cell = sums[i % season];
    if (cell !== undefined) {
      cell.sum += (values[i] ?? 0) - window / season;
      cell.count++;
    }
  }
  const figures = sums.map(({ sum, count }) => (count === 0 ? 0 : sum / count));
  const centre = figures.reduce((sum, figure) => sum + figure, 0) / season;
  return figures.map((figure) => figure - centre);
}

/** Runs a method on the series without its season and puts the season back. */
export function seasonallyAdjusted(method: Method, season: number): Method {
  return (values, horizon) => {
    if (season < 2 || values.length < 2 * season) return method(values, horizon);
    const figures = seasonalFigures(values, season);
    const adjusted = values.map((value, i) => value - (figures[i % season] ?? 0));
    return method(adjusted, horizon).map((value, h) => value + (figures[(values.length + h) % season] ?? 0));
  };
}
