import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { call, createTenant, metricSum, type PulseProcess, startPulse, until } from '../pulse-process.ts';
import { type BenchRequest, buildDataset, shape, totalPoints } from './dataset.ts';
import { startEngine } from './engine.ts';
import { type BenchResult, summarise } from './results.ts';

const rounds = 5;
const senders = 4;
/** Requests of a tenant of its own before the clock starts: a server runs for days, so the compiler's work is not part of the figure. */
const warmUpRequests = 40;
const schema = readFileSync(new URL('../../streams/store/schema/001_samples.sql', import.meta.url), 'utf8');
const structure =
  "tenant UInt32, series UInt64, time DateTime64(3, 'UTC'), value Float64, start DateTime64(3, 'UTC'), received DateTime('UTC'), flags UInt8, retention_days UInt16";

/**
 * A warm server: first request byte of gzip OTLP over HTTP until SELECT counts every point, with the roll-up job running (it is caught up at the end, asserted by the ledger), ÷ one `INSERT … SELECT` of the same rows from a Native file in page cache
 * into an empty copy of the table (same codecs and sort key, no views, two threads). Rounds of both interleave.
 */
export async function ingest(): Promise<BenchResult[]> {
  const requests = buildDataset(Date.now() - 2 * 3_600_000);
  const file = join(mkdtempSync(join(tmpdir(), 'pulse-bench-')), 'samples.native');
  const rates: number[] = [];
  const references: number[] = [];
  const storedAfter: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const timed = await ingestOnce(requests, round === 0 ? file : null);
    rates.push(totalPoints / (timed.caughtUpMs / 1000));
    storedAfter.push(totalPoints / (timed.storedMs / 1000));
    references.push(totalPoints / ((await referenceInsert(file)) / 1000));
    process.stdout.write(
      `round ${round + 1}: ${Math.round(rates.at(-1) ?? 0).toLocaleString('en-US')} points/s, reference ${Math.round(references.at(-1) ?? 0).toLocaleString('en-US')} rows/s\n`,
    );
  }
  rmSync(join(file, '..'), { recursive: true });
  const ratio = storedAfter.map((rate, index) => rate / (references[index] ?? Number.NaN));
  return [
    summarise('ingest', 'ratio', '×', ratio, { pass: 0.15, aim: 0.3, better: 'higher' }),
    summarise('ingest.stored', 'rate until stored and visible', 'points/s', storedAfter, { better: 'higher' }),
    summarise('ingest.rate', 'rate until rolled up', 'points/s', rates, { better: 'higher' }),
    summarise('ingest.reference', 'INSERT … SELECT from Native', 'rows/s', references, { better: 'higher' }),
  ];
}

async function ingestOnce(
  requests: readonly BenchRequest[],
  exportTo: string | null,
): Promise<{ storedMs: number; caughtUpMs: number }> {
  const pulse = await startPulse();
  try {
    const warm = await warmUp(pulse, requests);
    const keys: string[] = [];
    for (let tenant = 0; tenant < shape.tenants; tenant += 1)
      keys.push(await createTenant(pulse, { id: `bench-${tenant}` }));
    const started = performance.now();
    await sendAll(pulse, keys, requests);
    await until(
      () => metricSum(pulse, 'pulse_log_consumer_lag_records'),
      (lag) => lag === 0,
      300,
    );
    await until(
      () => countAll(pulse, keys),
      (count) => count === totalPoints,
      60,
    );
    const storedMs = performance.now() - started;
    await until(
      () => rolledUp(pulse),
      (points) => points === totalPoints + warm,
      300,
    );
    const caughtUpMs = performance.now() - started;
    await pulse.stop();
    if (exportTo !== null) await exportSamples(pulse.dataDir, exportTo);
    return { storedMs, caughtUpMs };
  } finally {
    await pulse.kill();
    rmSync(pulse.dataDir, { recursive: true, force: true });
  }
}

/** Sends some requests as another tenant and waits until they are stored; answers their points. */
async function warmUp(pulse: PulseProcess, requests: readonly BenchRequest[]): Promise<number> {
  const key = await createTenant(pulse, { id: 'warm-up' });
  const some = requests.slice(0, warmUpRequests).map(({ body }) => ({ tenant: 0, body }));
  await sendAll(pulse, [key], some);
  await until(
    () => metricSum(pulse, 'pulse_log_consumer_lag_records'),
    (lag) => lag === 0,
    300,
  );
  return countAll(pulse, [key]);
}

async function sendAll(pulse: PulseProcess, keys: readonly string[], requests: readonly BenchRequest[]): Promise<void> {
  const queue = requests.values();
  await Promise.all(
    Array.from({ length: senders }, async () => {
      for (const { tenant, body } of queue) await send(pulse, keys[tenant] ?? '', body);
    }),
  );
}

const agent = new Agent({ keepAlive: true, maxSockets: senders });

async function send(pulse: PulseProcess, key: string, body: Buffer): Promise<void> {
  for (;;) {
    const sent = request(`${pulse.otlpHttp}/v1/metrics`, {
      agent,
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/x-protobuf',
        'content-encoding': 'gzip',
        'content-length': body.length,
      },
    });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    for await (const _part of response);
    const status = response.statusCode ?? 0;
    if (status === 200) return;
    if (![429, 503].includes(status)) throw new Error(`the request was answered ${status}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function countAll(pulse: PulseProcess, keys: readonly string[]): Promise<number> {
  const range = `start=${new Date(Date.now() - 86_400_000).toISOString()}&end=${new Date().toISOString()}`;
  const counts = await Promise.all(
    keys.map((key) => call<{ points: number }>(pulse, `/api/v1/telemetry/counts?${range}`, { token: key })),
  );
  return counts.reduce((total, { body }) => total + body.points, 0);
}

/** Points that the ledger shows rolled up, once every hour balances; waits a little, because reading the ledger costs the engine time. */
async function rolledUp(pulse: PulseProcess): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 200));
  const { body } = await call<{ balanced: boolean; handovers: { to: string; counts: { to: number } }[] }>(
    pulse,
    '/api/v1/billing/reconciliation',
  );
  if (!body.balanced) return 0;
  return body.handovers.filter(({ to }) => to === 'rolled_up').reduce((total, { counts }) => total + counts.to, 0);
}

/** Writes the stored rows, those of the warm-up left out (the first tenant made), to a Native file in the order in which they arrived: request by request, series by series. */
async function exportSamples(dataDir: string, file: string): Promise<void> {
  const engine = await startEngine(join(dataDir, 'store/engine'));
  const { rows } = await engine.run([
    `INSERT INTO FUNCTION file('${file}', 'Native') SELECT tenant, series, time, value, start, received, flags, retention_days FROM samples FINAL WHERE tenant > (SELECT min(tenant) FROM samples) ORDER BY intDiv(toUnixTimestamp(time), 400), tenant, series, time SETTINGS max_block_size = 2000000`,
    `SELECT count() AS count FROM file('${file}', 'Native', '${structure.replaceAll("'", "\\'")}')`,
  ]);
  await engine.stop();
  if (Number(rows[0]?.['count']) !== totalPoints)
    throw new Error(`the reference file has ${rows[0]?.['count']} rows instead of ${totalPoints}`);
}

async function referenceInsert(file: string): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'pulse-bench-reference-'));
  const engine = await startEngine(dir);
  const source = `file('${file}', 'Native', '${structure.replaceAll("'", "\\'")}')`;
  const insert = `INSERT INTO samples SELECT * FROM ${source} SETTINGS max_threads = 2, max_insert_threads = 2, min_insert_block_size_rows = 1048576, max_block_size = 1048576, max_partitions_per_insert_block = 0`;
  // The first statement reads the file once, so that it is in the page cache.
  const { ms, rows } = await engine.run([
    `SELECT sum(value) FROM ${source}`,
    schema,
    insert,
    'SELECT count() AS count FROM samples',
  ]);
  await engine.stop();
  rmSync(dir, { recursive: true, force: true });
  if (Number(rows[0]?.['count']) !== totalPoints) throw new Error(`the reference stored ${rows[0]?.['count']} rows`);
  return ms[2] ?? Number.NaN;
}
