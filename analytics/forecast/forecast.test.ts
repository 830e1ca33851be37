import { Readable, Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { commands } from '../cli.ts';
import { forecast } from './forecast.ts';

/** Deterministic noise: mulberry32, summed to be roughly normal. */
function generator(seed: number): () => number {
  let state = seed;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  return () => Array.from({ length: 12 }, uniform).reduce((a, b) => a + b, 0) - 6;
}
const series = (seed: number, n: number): number[] => {
  const noise = generator(seed);
  return Array.from({ length: n }, (_, i) => 500 + 0.8 * i + 40 * Math.sin((2 * Math.PI * i) / 7) + 8 * noise());
};
const options = { horizon: 14, season: 'auto', interval: 0.95 } as const;

describe('forecast', () => {
  test('the 95 % interval covers about 95 % and the mean beats the last value', () => {
    let covered = 0;
    let error = 0;
    let naive = 0;
    const runs = 40;
    for (let seed = 1; seed <= runs; seed++) {
      const all = series(seed, 114);
      const result = forecast(all.slice(0, 100), options);
      expect(result.season).toBe(7);
      for (let h = 0; h < 14; h++) {
        const actual = all[100 + h] ?? 0;
        if (actual >= (result.lower[h] ?? 0) && actual <= (result.upper[h] ?? 0)) covered++;
        error += Math.abs(actual - (result.mean[h] ?? 0));
        naive += Math.abs(actual - (all[99] ?? 0));
      }
    }
    expect(covered / (runs * 14)).toBeGreaterThan(0.9);
    expect(error / naive).toBeLessThan(0.5);
  });

  test('constant, single, empty, short and gappy series are answered with the reason', () => {
    expect(forecast(Array(30).fill(5), options)).toMatchObject({ method: 'constant', mean: Array(14).fill(5) });
    expect(forecast([3], options).reason).toMatch(/only 1 values/);
    expect(forecast([], options).reason).toMatch(/no value/);
    const gappy = series(3, 100).map((value, i) => (i % 9 === 0 ? Number.NaN : value));
    expect(forecast(gappy, options).reason).toMatch(/missing values were filled/);
    for (const input of [[3], [], gappy, [1e9, 1e9 + 1]]) {
      const { mean, lower, upper } = forecast(input, options);
      for (let h = 0; h < 14; h++) {
        expect(Number.isFinite(mean[h])).toBe(true);
        expect(lower[h]).toBeLessThanOrEqual(mean[h] ?? Number.NaN);
        expect(upper[h]).toBeGreaterThanOrEqual(mean[h] ?? Number.NaN);
      }
    }
  });

  test('a falling quantity that cannot be negative never is', () => {
    const falling = Array.from({ length: 40 }, (_, i) => 40 - i);
    const result = forecast(falling, { ...options, horizon: 30, nonNegative: true });
    expect(Math.min(...result.lower)).toBeGreaterThanOrEqual(0);
  });
});

async function run(input: string, options: Record<string, string> = {}) {
  let out = '';
  let err = '';
  const sink = (take: (text: string) => void) =>
    new Writable({
      write(chunk, _, done) {
        take(String(chunk));
        done();
      },
    });
  const code = await commands[0]?.run(
    { horizon: '2', season: 'auto', interval: '0.95', ...options },
    { stdin: Readable.from([input]), stdout: sink((t) => (out += t)), stderr: sink((t) => (err += t)) },
  );
  return { code, out, err };
}

describe('pulse forecast', () => {
  test('every series has every step, in order of first appearance', async () => {
    const { code, out } = await run('series,timestamp,value\nb,1,5\nb,2,6\na,2026-01-01T00:00:00Z,1\n');
    expect(code).toBe(0);
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => line.split(',').slice(0, 2).join()),
    ).toEqual(['series,step', 'b,1', 'b,2', 'a,1', 'a,2']);
  });

  test.each([
    ['a,1,x', 'line 2'],
    ['a,1,1\na,1,2', 'line 3'],
    ['a,2,1\na,1,2', 'line 3'],
    ['a,1,1\nb,1,1\na,2,1', 'line 4'],
    ['a,1', 'line 2'],
    ['a,soon,1', 'line 2'],
    ['a,1,inf', 'line 2'],
  ])('broken input %j ends with code 2 and its %s', async (rows, line) => {
    const { code, err } = await run(`series,timestamp,value\n${rows}\n`);
    expect(code).toBe(2);
    expect(err).toContain(line);
  });

  test('a missing horizon is refused', async () => {
    expect((await run('series,timestamp,value\n', { horizon: '0' })).code).toBe(2);
  });
});
