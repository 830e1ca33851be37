import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';

/** One row of `bench-results.json`: the ratio carries the benchmark's name, further figures are `name.metric`. */
export interface BenchResult {
  readonly name: string;
  readonly metric: string;
  /** Median over the rounds. */
  readonly value: number;
  readonly unit: string;
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
  readonly pass: number | null;
  readonly aim: number | null;
  readonly better: 'higher' | 'lower';
  /** The results of the timed work were checked before the figure was taken. */
  readonly correct: true;
}

/** Makes a row from one value a round. */
export function summarise(
  name: string,
  metric: string,
  unit: string,
  values: readonly number[],
  target: { pass?: number; aim?: number; better: 'higher' | 'lower' },
): BenchResult {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = ((sorted[Math.floor(middle - 0.5)] ?? 0) + (sorted[Math.ceil(middle - 0.5)] ?? 0)) / 2;
  return {
    name,
    metric,
    value: median,
    unit,
    min: sorted[0] ?? 0,
    max: sorted.at(-1) ?? 0,
    rounds: values.length,
    pass: target.pass ?? null,
    aim: target.aim ?? null,
    better: target.better,
    correct: true,
  };
}

/** Did the median reach the pass mark; rows without one always did. */
export const reached = ({ value, pass, better }: BenchResult): boolean =>
  pass === null || (better === 'higher' ? value >= pass : value <= pass);

/** Writes the file and prints the table. */
export function report(results: readonly BenchResult[]): void {
  const machine = {
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
  };
  const file = join(import.meta.dirname, '../../bench-results.json');
  writeFileSync(file, `${JSON.stringify({ machine, results }, null, 2)}\n`);
  const figure = (value: number) =>
    Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);
  process.stdout.write(
    `\n${'benchmark'.padEnd(34)}${'median'.padStart(12)}${'min'.padStart(12)}${'max'.padStart(12)}  ${'unit'.padEnd(12)}${'pass'.padEnd(10)}rounds\n`,
  );
  for (const row of results) {
    const mark =
      row.pass === null ? '' : `${row.better === 'higher' ? '≥' : '≤'} ${row.pass} ${reached(row) ? 'ok' : 'MISSED'}`;
    process.stdout.write(
      `${row.name.padEnd(34)}${figure(row.value).padStart(12)}${figure(row.min).padStart(12)}${figure(row.max).padStart(12)}  ${row.unit.padEnd(12)}${mark.padEnd(10)}  ${row.rounds}\n`,
    );
  }
  process.stdout.write(`\nwritten to ${file}\n`);
}
