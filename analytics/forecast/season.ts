import { slopeOf } from './methods.ts';

const candidates = [4, 6, 7, 12, 24, 48, 52, 96, 144, 168, 288];

function detrended(values: readonly number[]): number[] {
  const slope = slopeOf(values);
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  return values.map((value, i) => value - mean - slope * (i - middle));
}

function autocorrelation(values: readonly number[], lag: number): number {
  let cross = 0;
  let square = 0;
  for (let i = 0; i < values.length; i++) {
    square += (values[i] ?? 0) ** 2;
    if (i >= lag) cross += (values[i] ?? 0) * (values[i - lag] ?? 0);
  }
  return square === 0 ? 0 : cross / square;
}

/**
 * The period with the strongest autocorrelation beyond chance, 1 when none is. Only periods with at least three whole turns are considered.
 *
 * *Source* test of the M4 competition's Naive2: |r| above 1.645 × sqrt((1 + 2 Σ r²) / n), here on the detrended series and demanding at least 0.3.
 */
export function detectSeason(values: readonly number[], hint?: number): number {
  const rest = detrended(values);
  let best = 1;
  let strongest = 0.3;
  for (const period of new Set([...candidates, ...(hint === undefined ? [] : [hint])])) {
    if (period < 2 || values.length < 3 * period) continue;
    const r = autocorrelation(rest, period) * (values.length / (values.length - period));
    // A smooth series is alike at every short lag; a season is a peak above its neighbourhood.
    const between = autocorrelation(rest, Math.max(1, Math.round(period / 2)));
    if (r > strongest && r > between + 0.1) {
      strongest = r;
      best = period;
    }
  }
  return best;
}
