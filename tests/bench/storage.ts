import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seeded } from './dataset.ts';
import { startEngine } from './engine.ts';
import { type BenchResult, summarise } from './results.ts';

const rounds = 5;
const rowsPerRound = 1_200_000;
const schema = readFileSync(new URL('../../streams/store/schema/001_samples.sql', import.meta.url), 'utf8');

/** Six codecs a column, from the sweep that chose the schema's own. */
const sweeps = {
  time: ['Delta(8), T64, ZSTD(1)', 'Delta(8), ZSTD(1)', 'DoubleDelta, ZSTD(1)', 'T64, ZSTD(1)', 'ZSTD(1)', 'LZ4'],
  value: ['Delta(8), ZSTD(1)', 'ZSTD(1)', 'ZSTD(6)', 'Gorilla, ZSTD(1)', 'FPC, ZSTD(1)', 'DoubleDelta, ZSTD(1)'],
} as const;

/** Bytes a sample of the schema's table, merged, ÷ the best of a six-codec sweep of its time and value columns on the same sorted rows. Each round has other data. */
export async function storage(): Promise<BenchResult[]> {
  const dir = mkdtempSync(join(tmpdir(), 'pulse-bench-storage-'));
  const engine = await startEngine(dir);
  const random = seeded(7);
  const ours: number[] = [];
  const best: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await engine.run([
      'DROP TABLE IF EXISTS samples',
      schema,
      fill(Math.floor(random() * 1e9)),
      'OPTIMIZE TABLE samples FINAL',
    ]);
    const { rows } = await engine.run(['SELECT count() AS count FROM samples']);
    const count = Number(rows[0]?.['count']);
    if (count !== rowsPerRound) throw new Error(`the table has ${count} rows instead of ${rowsPerRound}`);
    const columns = await columnBytes(engine, 'samples');
    const own = Object.values(columns).reduce((total, bytes) => total + bytes, 0) / count;
    let sweep = own - ((columns['time'] ?? 0) + (columns['value'] ?? 0)) / count;
    for (const column of ['time', 'value'] as const) sweep += (await bestCodec(engine, column)) / count;
    ours.push(own);
    best.push(sweep);
    process.stdout.write(
      `round ${round + 1}: ${own.toFixed(3)} bytes a sample, best of the sweep ${sweep.toFixed(3)}\n`,
    );
  }
  await engine.stop();
  rmSync(dir, { recursive: true, force: true });
  const ratio = ours.map((value, index) => value / (best[index] ?? Number.NaN));
  return [
    summarise('storage', 'ratio', '×', ratio, { pass: 1.1, aim: 1.02, better: 'lower' }),
    summarise('storage.bytes', 'bytes a sample, merged', 'B', ours, { better: 'lower' }),
  ];
}

type Engine = Awaited<ReturnType<typeof startEngine>>;

async function bestCodec(engine: Engine, column: 'time' | 'value'): Promise<number> {
  const type = column === 'time' ? "DateTime64(3, 'UTC')" : 'Float64';
  const sizes: number[] = [];
  for (const codec of sweeps[column]) {
    await engine.run([
      'DROP TABLE IF EXISTS sweep',
      `CREATE TABLE sweep (position UInt64 CODEC(Delta(8), ZSTD(1)), ${column} ${type} CODEC(${codec})) ENGINE = MergeTree ORDER BY position`,
      `INSERT INTO sweep SELECT rowNumberInAllBlocks(), ${column} FROM (SELECT ${column} FROM samples ORDER BY tenant, toStartOfHour(time), series, time) SETTINGS max_threads = 1, max_insert_threads = 1`,
      'OPTIMIZE TABLE sweep FINAL',
    ]);
    sizes.push((await columnBytes(engine, 'sweep'))[column] ?? Number.NaN);
  }
  return Math.min(...sizes);
}

async function columnBytes(engine: Engine, table: string): Promise<Record<string, number>> {
  const { rows } = await engine.run([
    `SELECT column, sum(column_data_compressed_bytes) AS bytes FROM system.parts_columns WHERE table = '${table}' AND active GROUP BY column`,
  ]);
  return Object.fromEntries(rows.map((row) => [String(row['column']), Number(row['bytes'])]));
}

/** One day of 10 s samples of 139 series by kind: 44 % integer counters, 7 % two-decimal counters, 15 % memory bytes, 16 % two-decimal gauges, 6 % full doubles, 12 % nearly constant. */
function fill(seed: number): string {
  const step = (expression: string) =>
    `sum(${expression}) OVER (PARTITION BY series ORDER BY tick ROWS UNBOUNDED PRECEDING)`;
  return `INSERT INTO samples SELECT 1 + series % 7, bitShiftLeft(toUInt64(series % 20), 48) + cityHash64(series, ${seed}) % 281474976710656,
    toDateTime64('2026-11-20 00:00:00', 3, 'UTC') + toIntervalMillisecond(tick * 10000 + r1 % 4),
    multiIf(kind < 44, ${step('if(r2 % 5 = 0, 0, r2 % 500)')}, kind < 51, round(${step('(r2 % 50000) / 100')}, 2), kind < 66, 1e9 + ${step('toInt64(r2 % 4194304) - 2097152')},
      kind < 82, round(50 + ${step('(toInt64(r2 % 1000) - 500) / 100')}, 2), kind < 88, r2 / 4294967296, toFloat64(series) + ${step('if(r2 % 100 = 0, 1, 0)')}),
    toDateTime64('2026-11-20 00:00:00', 3, 'UTC'), toDateTime('2026-11-20 00:00:00', 'UTC'), 0, 400
  FROM (SELECT number % 139 AS series, intDiv(number, 139) AS tick, cityHash64(number, ${seed}, 1) % 4294967296 AS r1, cityHash64(number, ${seed}, 2) % 4294967296 AS r2,
    cityHash64(number % 139, ${seed}, 3) % 100 AS kind FROM numbers(${rowsPerRound}))
  SETTINGS max_partitions_per_insert_block = 0`;
}
