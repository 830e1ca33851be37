import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type LogMessage, toHeaders } from 'streams/log';
import { createOtlpDecoder, encodeOtlp, type OtlpDecoder } from 'streams/otlp';
import { call, compileCache, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';
import type { FaultCheck } from './check.ts';
import { openPipeline } from './pipeline.ts';

const records = 10_000;
const poisonAt = 5_000;
const tenant = 'isp-a';

interface Letter {
  readonly id: string;
  readonly code: string;
  readonly replay: { readonly outcome: string; readonly newLetter: string | null } | null;
  readonly replayOf: string | null;
}

/** C12: one record of 10,000 on the log cannot be read. */
export const poisonRecord: FaultCheck = {
  id: 'C12',
  title: 'a poison record amid 10,000',
  guarantee:
    'it becomes one dead letter with its bytes, everything around it is stored, its partition goes on, and it can be put on the log again',
  async run({ dir }) {
    const dataDir = join(dir, 'data');
    const first = await startPulse({ dataDir });
    await createTenant(first, { id: tenant });
    await first.stop();
    const poison = randomBytes(300);
    const hour = Math.floor(Date.now() / 3_600_000 - 1) * 3600;
    await takeAll(dataDir, poison, hour);
    const pulse = await startPulse({ dataDir });
    const wrong: string[] = [];
    const expect = (what: string, found: unknown, wanted: unknown) => {
      if (found !== wanted) wrong.push(`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
    };
    try {
      await until(
        () => storedPoints(pulse, hour),
        (points) => points === records - 1,
        60,
      );
      const letters = cli<Letter[]>(pulse, 'list');
      expect(
        'dead letters',
        letters
          .map(({ code }) => code)
          .sort()
          .join(),
        'otlp.malformed,store.decode_failed',
      );
      const letter = letters.find(({ code }) => code === 'otlp.malformed');
      const curable = letters.find(({ code }) => code === 'store.decode_failed');
      if (letter === undefined || curable === undefined) throw new Error(`letters: ${JSON.stringify(letters)}`);
      const shown = cli<{ payload: string }>(pulse, 'show', letter.id);
      expect('original bytes', shown.payload, poison.toString('base64'));
      // It is as unreadable as before: the replay makes a new letter that points to the first, and only one however often it is asked for.
      const replayed = cli<Letter>(pulse, 'replay', letter.id);
      cli<Letter>(pulse, 'replay', letter.id);
      expect('outcome', replayed.replay?.outcome, 'failed');
      expect('letters after the replay', cli<Letter[]>(pulse, 'list').length, 3);
      expect('origin', cli<Letter>(pulse, 'show', replayed.replay?.newLetter ?? '').replayOf, letter.id);
      expect('points', await storedPoints(pulse, hour), records - 1);
      const audit = await call<{ items: { action: string; resource: string }[] }>(pulse, '/api/v1/audit?limit=20');
      expect('audit', audit.body.items.filter(({ action }) => action === 'dead_letter.replay').length, 1);
      // The other one was set aside by a version with a mistake, which this one has not.
      expect('cured', cli<Letter>(pulse, 'replay', curable.id).replay?.outcome, 'stored');
      expect('points with the cured one', await storedPoints(pulse, hour), records);
      const missing = await hourBalance(pulse, hour);
      expect('the ledger still lacks', missing, 1);
      const figure = `1 in the dead-letter table, ${records - 1} in, its replay a letter again, the replay of a curable one stored once`;
      return { passed: wrong.length === 0, figure, details: wrong };
    } finally {
      await pulse.stop();
    }
  },
};

const message = (index: number, payload: Uint8Array, hour: number): LogMessage => ({
  key: tenant,
  headers: toHeaders({
    tenant,
    tenantNumber: 1,
    signal: 'metrics',
    encoding: 'otlp',
    receivedAt: Date.now(),
    credential: 'fault',
    batch: `b${index}`,
    part: 0,
    parts: 1,
    counts: [{ hour, records: 1 }],
  }),
  payload,
});

/** Ten thousand records with the poison among them, and one more that a version with a mistake cannot read. */
async function takeAll(dataDir: string, poison: Buffer, hour: number): Promise<void> {
  const mistaken = encodeOtlp('metrics', point(hour * 1000 + records));
  const createDecoder = (): OtlpDecoder => {
    const decoder = createOtlpDecoder();
    return {
      metrics(payload, number, bounds) {
        if (Buffer.from(payload).equals(mistaken)) throw new Error('a mistake of this version');
        return decoder.metrics(payload, number, bounds);
      },
      takeMetrics: () => decoder.takeMetrics(),
      recycle: (decoded) => decoder.recycle(decoded),
      traces: (payload, bounds) => decoder.traces(payload, bounds),
      logs: (payload, bounds, part) => decoder.logs(payload, bounds, part),
    };
  };
  const pipeline = await openPipeline({ dir: dataDir, maxRecords: 2000, createDecoder });
  const messages = Array.from({ length: records }, (_, index) =>
    message(index, index === poisonAt ? poison : encodeOtlp('metrics', point(hour * 1000 + index)), hour),
  );
  messages.push(message(records, mistaken, hour));
  for (let at = 0; at < messages.length; at += 1000)
    await pipeline.log.append('telemetry', messages.slice(at, at + 1000));
  await pipeline.drain();
  await pipeline.stop();
}

const point = (timeMs: number) => ({
  resourceMetrics: [
    {
      scopeMetrics: [
        {
          metrics: [
            { name: 'dotmac.logins', gauge: { dataPoints: [{ timeUnixNano: `${timeMs}000000`, asInt: '1' }] } },
          ],
        },
      ],
    },
  ],
});

async function storedPoints(pulse: PulseProcess, hour: number): Promise<number> {
  const range = `start=${new Date(hour * 1000).toISOString()}&end=${new Date((hour + 3600) * 1000).toISOString()}`;
  const { body } = await call<{ points: number }>(pulse, `/api/v1/telemetry/counts?tenant=${tenant}&${range}`);
  return body.points;
}

/** Records of the hour that the ledger has seen accepted and not logged: the poison, which nobody can read. */
async function hourBalance(pulse: PulseProcess, hour: number): Promise<number> {
  const { body } = await call<{
    handovers: { hour: string; from: string; to: string; counts: { from: number; to: number } }[];
  }>(pulse, '/api/v1/billing/reconciliation');
  const rows = body.handovers.filter((row) => Date.parse(row.hour) === hour * 1000 && row.from === 'accepted');
  return rows.reduce((sum, { counts }) => sum + counts.from - counts.to, 0);
}

/** Runs `pulse dead-letters …` and reads its JSON. */
function cli<T>(pulse: PulseProcess, ...args: string[]): T {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, '../../bin/pulse.ts'), 'dead-letters', ...args, '--json'],
    {
      encoding: 'utf8',
      env: {
        ...{ PATH: process.env['PATH'], NODE_COMPILE_CACHE: compileCache },
        ...{ PULSE_URL: pulse.http, PULSE_TOKEN: pulse.token },
      },
    },
  );
  if (status !== 0 && status !== 1) throw new Error(`pulse dead-letters ${args.join(' ')}: ${stderr}`);
  return JSON.parse(stdout) as T;
}
