import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { call, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';
import type { FaultCheck } from './check.ts';
import { encodePoints, residentBytes, sendOtlp } from './otlp-points.ts';

const perRequest = 1000;
const rssMiBMax = 256;

/** C42: one tenant adds ever new series. */
export const seriesFlood: FaultCheck = {
  id: 'C42',
  title: 'flood of series',
  guarantee:
    'the tenant is capped within 1 %, what is beyond is counted and shown to it, memory stays flat, and the others lose nothing',
  async run(context) {
    const full = context.size === 'full';
    const flood = full ? 1_000_000 : 20_000;
    const cap = full ? 200_000 : 4000;
    const dataDir = join(context.dir, 'data');
    rmSync(dataDir, { recursive: true, force: true });
    const config = join(context.dir, 'config.yaml');
    writeFileSync(config, JSON.stringify({ ingest: { rejectedFlushSeconds: 0.5 } }));
    const pulse = await startPulse({ dataDir, args: [`--config=${config}`] });
    try {
      const noisy = await createTenant(pulse, { id: 'noisy' });
      const quiet = await createTenant(pulse, { id: 'quiet' });
      await call(pulse, '/api/v1/tenants/noisy/limits', {
        method: 'PUT',
        body: { activeSeries: cap, pointsPerSecond: 10_000_000, newSeriesPerSecond: 1_000_000 },
      });
      const wrong: string[] = [];
      const time = Date.now();
      let rejected = 0;
      let quietSent = 0;
      let rssAtCap = 0;
      let rssMost = 0;
      for (let from = 0; from < flood; from += perRequest) {
        const body = gzipSync(
          encodePoints({ metric: 'flood', timeMs: time, count: perRequest, series: (i) => `s${from + i}` }),
          { level: 1 },
        );
        const answer = await sendOtlp(pulse.otlpHttp, noisy, body, { headers: { 'content-encoding': 'gzip' } });
        if (answer.status !== 200) wrong.push(`the flood was answered ${answer.status}: ${answer.text.slice(0, 200)}`);
        rejected += Number(/(\d+) series_limit/.exec(answer.text)?.[1] ?? 0);
        const steady = encodePoints({ metric: 'steady', timeMs: time + quietSent, count: 10, series: (i) => `q${i}` });
        const other = await sendOtlp(pulse.otlpHttp, quiet, steady);
        if (other.status === 200 && other.text === '') quietSent++;
        else wrong.push(`the quiet tenant was answered ${other.status} ${other.text.slice(0, 100)}`);
        // Memory of taking and storing the allowed series is not the flood's.
        const rss = residentBytes(pulse.child.pid ?? 0);
        if (from + perRequest < cap * 2) rssAtCap = Math.max(rssAtCap, rss);
        rssMost = Math.max(rssMost, rss);
      }
      const taken = flood - rejected;
      const off = Math.abs(taken - cap) / cap;
      if (off > 0.01) wrong.push(`${taken} series were taken, the cap is ${cap}`);
      const grown = Math.max(0, rssMost - rssAtCap) / 1024 / 1024;
      if (grown > rssMiBMax) wrong.push(`memory grew by ${grown.toFixed(0)} MiB beyond the cap`);
      const found = await stored(pulse, { taken, rejected, quietPoints: quietSent * 10 });
      wrong.push(...found.wrong);
      const requests = Math.ceil(flood / perRequest);
      return {
        passed: wrong.length === 0,
        figure: `${flood} series sent, ${taken} taken (cap ${cap}, off ${(off * 100).toFixed(2)} %), ${rejected} counted, RSS +${grown.toFixed(0)} MiB beyond the cap, quiet tenant lost ${requests * 10 - found.quietPoints} of ${requests * 10}`,
        details: wrong.slice(0, 20),
      };
    } finally {
      await pulse.kill();
    }
  },
};

async function stored(
  pulse: PulseProcess,
  expected: { readonly taken: number; readonly rejected: number; readonly quietPoints: number },
): Promise<{ readonly wrong: readonly string[]; readonly quietPoints: number }> {
  const range = `start=${new Date(Date.now() - 86_400_000).toISOString()}&end=${new Date(Date.now() + 3_600_000).toISOString()}`;
  const points = async (tenant: string) =>
    (await call<{ points: number }>(pulse, `/api/v1/telemetry/counts?tenant=${tenant}&${range}`)).body.points;
  const shown = async () => {
    const { body } = await call<{ items: { reason: string; records: number }[] }>(
      pulse,
      `/api/v1/telemetry/rejected?tenant=noisy&${range}`,
    );
    return body.items.filter(({ reason }) => reason === 'series_limit').reduce((sum, { records }) => sum + records, 0);
  };
  const wrong: string[] = [];
  const wait = async (what: string, ask: () => Promise<number>, figure: number) => {
    await until(ask, (found) => found === figure, 120).catch((error) => wrong.push(`${what}: ${String(error)}`));
  };
  await wait('points of the noisy tenant', () => points('noisy'), expected.taken);
  await wait('points of the quiet tenant', () => points('quiet'), expected.quietPoints);
  await wait('what the noisy tenant is shown', shown, expected.rejected);
  return { wrong, quietPoints: await points('quiet') };
}
