import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { encodeOtlp } from 'streams/otlp';
import { call, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';
import type { FaultCheck } from './check.ts';
import { encodePoints, percentile, sendOtlp } from './otlp-points.ts';

/** *Source* spec, "Numbers the platform promises". */
const answeredMin = 0.9995;
/** A read that takes longer is not an answer to the person who waits for it. */
const answerSecondsMax = 10;
const killers = 8;

/** C43: one tenant repeats the dearest reads there are; others go on reading. */
export const queryOfDeath: FaultCheck = {
  id: 'C43',
  title: 'query of death, repeated',
  guarantee: 'the other tenants are answered at least 99.95 % of the time, and the server is there afterwards',
  async run(context) {
    const full = context.size === 'full';
    const seconds = full ? 180 : 2;
    const dataDir = join(context.dir, 'data');
    rmSync(dataDir, { recursive: true, force: true });
    const pulse = await startPulse({ dataDir });
    try {
      const killer = await createTenant(pulse, { id: 'killer' });
      const others = [await createTenant(pulse, { id: 'other-a' }), await createTenant(pulse, { id: 'other-b' })];
      await fill(pulse, killer, others, full ? 5000 : 500);
      const end = Date.now() + seconds * 1000;
      const statuses = new Map<number, number>();
      const heavy = Array.from({ length: killers }, async (_, index) => {
        for (let turn = index; Date.now() < end; turn++) {
          const status = await read(pulse, killer, deadly[turn % deadly.length]?.() ?? '');
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          // A refusal comes at once: whoever repeats it without a pause is met by the bound on reads, which is not what is looked at here.
          if (status !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
        }
      });
      const wrong: string[] = [];
      const ms: number[] = [];
      let asked = 0;
      let answered = 0;
      const light = others.map(async (key, index) => {
        for (let turn = index; Date.now() < end; turn++) {
          const began = performance.now();
          const status = await read(pulse, key, harmless[turn % harmless.length]?.() ?? '');
          ms.push(performance.now() - began);
          asked++;
          if (status === 200) answered++;
          else wrong.push(`a harmless read was answered ${status}`);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      });
      await Promise.all([...heavy, ...light]);
      const share = answered / asked;
      const faults = statuses.get(500) ?? 0;
      if (faults > 0) wrong.push(`${faults} dear reads were answered 500`);
      const after = await read(pulse, killer, harmless[0]?.() ?? '');
      if (after !== 200) wrong.push(`afterwards the tenant itself is answered ${after}`);
      const list = [...statuses].map(([status, count]) => `${count} × ${status}`).join(', ');
      return {
        passed: share >= answeredMin && faults === 0 && after === 200,
        figure: `${(share * 100).toFixed(2)} % of ${asked} answered, p95 ${percentile(ms, 0.95).toFixed(0)} ms, beside dear reads ${list}`,
        details: wrong.slice(0, 20),
      };
    } finally {
      await pulse.kill();
    }
  },
};

const dayMs = 86_400_000;
const span = (days: number) =>
  `start=${encodeURIComponent(new Date(Date.now() - days * dayMs).toISOString())}&end=${encodeURIComponent(new Date().toISOString())}`;
const range = (days: number, more: string) => `/api/v1/telemetry/metrics/range?metric=dear&${span(days)}&${more}`;

const deadly: readonly (() => string)[] = [
  () => range(400, 'step=1h&aggregate=p99&groupBy=series'),
  () => range(7, 'step=60s&aggregate=rate&groupBy=series'),
  () => range(400, 'step=3600s&aggregate=avg'),
  () => `/api/v1/telemetry/logs?${span(400)}&query=${encodeURIComponent('needle that is nowhere')}&limit=1000`,
  () => `/api/v1/telemetry/logs?${span(400)}&query=e&limit=1000`,
  () => range(1, 'step=10s&aggregate=p50&groupBy=series'),
  () => `/api/v1/telemetry/traces/${'ab'.repeat(16)}`,
  () => range(400, 'step=1s&aggregate=sum'),
];
const harmless: readonly (() => string)[] = [
  () => `/api/v1/telemetry/counts?${span(1)}`,
  () => '/api/v1/telemetry/metrics',
  () => `/api/v1/telemetry/metrics/range?metric=cheap&${span(0.1)}&step=60s&aggregate=avg`,
  () => `/api/v1/telemetry/logs?${span(0.1)}&limit=20`,
];

async function read(pulse: PulseProcess, key: string, path: string): Promise<number> {
  try {
    const response = await fetch(`${pulse.http}${path}`, {
      headers: { authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(answerSecondsMax * 1000),
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

async function fill(pulse: PulseProcess, killer: string, others: readonly string[], series: number): Promise<void> {
  const now = Date.now();
  const send = async (key: string, body: Uint8Array, path = '/v1/metrics') => {
    const answer = await sendOtlp(pulse.otlpHttp, key, gzipSync(body, { level: 1 }), {
      path,
      headers: { 'content-encoding': 'gzip' },
    });
    if (answer.status !== 200 || answer.text !== '') throw new Error(`filling: ${answer.status} ${answer.text}`);
  };
  const ticks = 20;
  for (let tick = 0; tick < ticks; tick++) {
    const timeMs = now - tick * 3_600_000;
    await send(killer, encodePoints({ metric: 'dear', timeMs, count: series, series: (i) => `k${i}` }));
  }
  const logRecords = Array.from({ length: series }, (_, i) => ({
    timeUnixNano: `${now - i * 1000}000000`,
    body: { stringValue: `line ${i} of a log that is searched again and again` },
  }));
  await send(killer, encodeOtlp('logs', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] }), '/v1/logs');
  for (const key of others)
    for (let i = 0; i < 5; i++)
      await send(key, encodePoints({ metric: 'cheap', timeMs: now - i * 60_000, count: 5, series: (at) => `c${at}` }));
  const stored = async (key: string) =>
    (await call<{ points: number }>(pulse, `/api/v1/telemetry/counts?${span(2)}`, { token: key })).body.points;
  await until(
    () => stored(killer),
    (points) => points === ticks * series,
    60,
  );
}
