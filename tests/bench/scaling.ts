import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { encodeOtlp } from 'streams/otlp';
import { call, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';
import { seeded } from './dataset.ts';
import { type BenchResult, summarise } from './results.ts';

const seriesSteps = [1_000, 10_000, 100_000, 1_000_000];
const tenantSteps = [1, 10, 100, 1_000];
const pointsPerRequest = 1_000;
/** Points of a measured step: many ticks of few series or few ticks of many. */
const stepPoints = 2_000_000;
const tenantSeries = 100;
/** The total rate of the tenant steps, whoever sends. */
const requestsPerSecond = 250;
const tenantTicks = 3;
const senders = 4;

/**
 * What a point costs as a fleet grows: CPU seconds of the server (all its threads) a point, requests of equal size, series known.
 *
 * *Shape* 10³ to 10⁶ active series: the slope of log(cost) over log(series); 1 to 1,000 tenants at the same total rate of equal requests: dearest ÷ cheapest. Beside them the most active parts that a
 * table had, and resident memory at the end of each step. Roll-ups are kept out (their cost is in [ingest]). Every step is counted by the API before its figure stands.
 */
export async function scaling(): Promise<BenchResult[]> {
  const bySeries = await measure(async (pulse, step) => {
    const keys: string[] = [];
    for (let tenant = 0; tenant < 10; tenant += 1) keys.push(await createTenant(pulse, { id: `series-${tenant}` }));
    const random = seeded(11);
    // The first requests pay for the compiler; their figure is thrown away.
    for (const [index, series] of [seriesSteps[0] ?? 0, ...seriesSteps].entries()) {
      const templates = Array.from({ length: series / pointsPerRequest }, (_, request) => ({
        key: keys[request % keys.length] ?? '',
        body: requestBody(`${index}-${request}`, pointsPerRequest, random),
      }));
      await step(`${series} series`, templates, Math.max(1, Math.floor(stepPoints / series)));
    }
  });
  const byTenants = await measure(async (pulse, step) => {
    const keys: string[] = [];
    const random = seeded(12);
    for (const [index, tenants] of [1, ...tenantSteps].entries()) {
      // The first step warms up only, with a tenth of the series: no tenant may meet its limit.
      const requests = index === 0 ? 100 : 1_000;
      while (keys.length < tenants) keys.push(await createTenant(pulse, { id: `tenant-${keys.length}` }));
      const templates = Array.from({ length: requests }, (_, request) => ({
        key: keys[request % tenants] ?? '',
        body: requestBody(`${index}-${request}`, tenantSeries, random),
      }));
      await step(`${tenants} tenants`, templates, tenantTicks, requestsPerSecond);
    }
  });
  const slope = slopeOf(
    seriesSteps,
    bySeries.steps.slice(1).map(({ cost }) => cost),
  );
  const costs = byTenants.steps.slice(1).map(({ cost }) => cost);
  const memory = bySeries.steps.slice(1).map(({ rssBytes }) => rssBytes / 2 ** 20);
  return [
    summarise('scaling', 'slope of log CPU a point, 10³ to 10⁶ series', '', [slope], { pass: 0.1, better: 'lower' }),
    summarise(
      'scaling.tenants',
      '1 to 1,000 tenants, dearest ÷ cheapest',
      '×',
      [Math.max(...costs) / Math.min(...costs)],
      { pass: 1.3, better: 'lower' },
    ),
    summarise('scaling.parts', 'most active parts of a table', 'parts', [Math.max(bySeries.parts, byTenants.parts)], {
      better: 'lower',
    }),
    summarise('scaling.memory', 'resident, steps of series', 'MiB', memory, { better: 'lower' }),
  ];
}

/** Least-squares slope of log(cost) over log(size). */
function slopeOf(sizes: readonly number[], costs: readonly number[]): number {
  const x = sizes.map(Math.log);
  const y = costs.map(Math.log);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const products = x.reduce((sum, value, index) => sum + (value - mx) * ((y[index] ?? my) - my), 0);
  return products / x.reduce((sum, value) => sum + (value - mx) ** 2, 0);
}

interface Template {
  readonly key: string;
  readonly body: Buffer;
}
interface Step {
  readonly cost: number;
  readonly rssBytes: number;
}
type RunStep = (name: string, templates: readonly Template[], ticks: number, perSecond?: number) => Promise<void>;

/** Runs steps on a server of their own. A step sends each request once to make its series known, then `ticks` times with later times under the clock. */
async function measure(
  run: (pulse: PulseProcess, step: RunStep) => Promise<void>,
): Promise<{ steps: Step[]; parts: number }> {
  const dir = mkdtempSync(join(tmpdir(), 'pulse-bench-scaling-'));
  const config = join(dir, 'pulse.yaml');
  // Room for a million live series, and no roll-ups within the run.
  writeFileSync(config, 'telemetry-consumer:\n  maxSeries: 2500000\nroll-ups:\n  intervalMs: 600000\n');
  const pulse = await startPulse({ args: [`--config=${config}`] });
  const steps: Step[] = [];
  let parts = 0;
  let sent = 0;
  try {
    await run(pulse, async (name, templates, ticks, perSecond) => {
      const startMs = Date.now() - 3_600_000;
      await send(pulse, templates, startMs);
      await caughtUp(pulse);
      const before = cpuSeconds(pulse);
      for (let tick = 1; tick <= ticks; tick += 1) await send(pulse, templates, startMs + tick * 1_000, perSecond);
      parts = Math.max(parts, await caughtUp(pulse));
      const used = cpuSeconds(pulse) - before;
      const perRequest = pointsIn(templates);
      sent += perRequest * (ticks + 1);
      await checkStored(pulse, sent);
      const status = readFileSync(`/proc/${pulse.child.pid}/status`, 'utf8');
      const rssBytes = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
      const cost = used / (perRequest * ticks);
      steps.push({ cost, rssBytes });
      process.stdout.write(
        `${name}: ${(cost * 1e6).toFixed(2)} µs a point, ${Math.round(rssBytes / 2 ** 20)} MiB resident, at most ${parts} parts a table\n`,
      );
    });
    return { steps, parts };
  } finally {
    await pulse.kill();
    rmSync(pulse.dataDir, { recursive: true, force: true });
    rmSync(dir, { recursive: true, force: true });
  }
}

/** CPU of every thread of the server so far. *Units* seconds, in hundredths. *Source* proc(5), fields 14 and 15. */
function cpuSeconds(pulse: PulseProcess): number {
  const fields = readFileSync(`/proc/${pulse.child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const placeholderMs = 1_700_000_000_000;
const nanos = (ms: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(ms) * 1_000_000n);
  return bytes;
};

/** A request of `series` gauges of one point each, with a time to be replaced. Uncompressed, so that the replacing is all the client does. */
function requestBody(name: string, series: number, random: () => number): Buffer {
  const metrics = Array.from({ length: Math.ceil(series / 50) }, (_, metric) => ({
    name: `scaling.metric.${metric}`,
    unit: '1',
    gauge: {
      dataPoints: Array.from({ length: Math.min(50, series - metric * 50) }, (_, index) => ({
        timeUnixNano: `${placeholderMs}000000`,
        asDouble: Math.round(random() * 1e6) / 100,
        attributes: [
          { key: 'dotmac.device', value: { stringValue: `device-${name}-${index}` } },
          { key: 'network.io.direction', value: { stringValue: index % 2 === 0 ? 'receive' : 'transmit' } },
        ],
      })),
    },
  }));
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'isp-framework' } }] };
  return Buffer.from(encodeOtlp('metrics', { resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] }));
}

const placeholder = nanos(placeholderMs);
const pointsOf = new WeakMap<Buffer, number>();

/** Points of all templates together, counted by their times. */
function pointsIn(templates: readonly Template[]): number {
  return templates.reduce((sum, { body }) => sum + (pointsOf.get(body) ?? countTimes(body)), 0);
}

function countTimes(body: Buffer): number {
  let count = 0;
  for (let at = body.indexOf(placeholder); at >= 0; at = body.indexOf(placeholder, at + 8)) count += 1;
  pointsOf.set(body, count);
  return count;
}

/** Sends every request once with the given time, as fast as it is answered or at a rate. */
async function send(
  pulse: PulseProcess,
  templates: readonly Template[],
  timeMs: number,
  perSecond = Number.POSITIVE_INFINITY,
): Promise<void> {
  const time = nanos(timeMs);
  const queue = templates.entries();
  const begun = performance.now();
  await Promise.all(
    Array.from({ length: senders }, async () => {
      for (const [index, { key, body }] of queue) {
        await sleep(begun + (index / perSecond) * 1_000 - performance.now());
        const sent = Buffer.from(body);
        for (let at = sent.indexOf(placeholder); at >= 0; at = sent.indexOf(placeholder, at + 8)) time.copy(sent, at);
        await post(pulse, key, gzipSync(sent, { level: 1 }));
      }
    }),
  );
}

/** Only for a time that is worth a timer. */
const sleep = (ms: number) => (ms >= 1 ? new Promise((resolve) => setTimeout(resolve, ms)) : undefined);

async function post(pulse: PulseProcess, key: string, body: Buffer): Promise<void> {
  for (;;) {
    const response = await fetch(`${pulse.otlpHttp}/v1/metrics`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' },
      body: new Uint8Array(body),
    });
    const answer = Buffer.from(await response.arrayBuffer());
    if (response.status === 200 && answer.length === 0) return;
    // A partial success would be a limit met, and would falsify the figure.
    if (![429, 503].includes(response.status))
      throw new Error(`answered ${response.status}: ${answer.toString('latin1')}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Waits until the store has taken everything; answers the most active parts that a table has then. */
async function caughtUp(pulse: PulseProcess): Promise<number> {
  let parts = 0;
  await until(
    async () => {
      const text = await (await fetch(`${pulse.http}/metrics`)).text();
      const values = (name: string) =>
        [...text.matchAll(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'gm'))].map(([, value]) => Number(value));
      parts = Math.max(parts, ...values('pulse_store_active_parts'));
      return values('pulse_log_consumer_lag_records').reduce((sum, value) => sum + value, 0);
    },
    (lag) => lag === 0,
    300,
  );
  return parts;
}

/** Every point sent so far is stored once, as the ledger shows it. */
async function checkStored(pulse: PulseProcess, sent: number): Promise<void> {
  const { body } = await call<{ handovers: { to: string; counts: { to: number } }[] }>(
    pulse,
    '/api/v1/billing/reconciliation',
  );
  const stored = body.handovers.filter(({ to }) => to === 'stored').reduce((sum, { counts }) => sum + counts.to, 0);
  if (stored !== sent) throw new Error(`${sent} points were sent, the ledger has ${stored} stored`);
}
