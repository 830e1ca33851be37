import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { pino } from 'pino';
import { createKafkaLog, type KafkaLog, type LogMessage, toHeaders, usePayload } from 'streams/log';
import { createOtlpDecoder, scanOtlp, timeBounds } from 'streams/otlp';
import { systemClock } from 'streams/runtime';
import {
  createChdbStore,
  createStoreUsageIdentities,
  createTelemetryConsumer,
  defineQuery,
  noParams,
} from 'streams/store';
import { z } from 'zod';
import { startBroker } from '../kafka/broker.ts';
import { until } from '../pulse-process.ts';
import { type BenchRequest, buildDataset, totalPoints } from './dataset.ts';
import { type BenchResult, summarise } from './results.ts';

const rounds = 4;
/** Of the data set, each with hours of its own: a start must not weigh more than the flow. */
const copies = 4;
const points = copies * totalPoints;
const silent = pino({ level: 'silent' });
const countSamples = defineQuery({
  file: new URL('./sql/count-samples.sql', import.meta.url),
  params: noParams,
  row: z.object({ rows: z.coerce.number() }),
});

/**
 * From a topic on a real broker to rows that SELECT counts, ÷ the same client that reads the same records, payloads unpacked, and does nothing with them. The records are as the door puts them: the
 * senders' own gzip. Rounds of both interleave, the first one warms up and is not counted.
 */
export async function kafka(): Promise<BenchResult[]> {
  const home = mkdtempSync(join(tmpdir(), 'pulse-bench-kafka-'));
  const broker = await startBroker(join(home, 'broker'));
  const now = Date.now();
  const requests = Array.from({ length: copies }, (_, copy) =>
    buildDataset(now - (copies - copy) * 2 * 3_600_000),
  ).flat();
  const appended: number[] = [];
  const stored: number[] = [];
  const read: number[] = [];
  try {
    for (let round = 0; round < rounds; round += 1) {
      const log = createKafkaLog({
        connection: { brokers: [broker.address] },
        clock: systemClock,
        prefix: `round-${round}.`,
        partitions: 6,
      });
      await log.start();
      const began = performance.now();
      await fill(log, requests);
      const appendMs = performance.now() - began;
      const readMs = await toNothing(log);
      const storedMs = await toTables(log, join(home, `store-${round}`));
      await log.stop();
      if (round === 0) continue;
      appended.push(points / (appendMs / 1000));
      read.push(points / (readMs / 1000));
      stored.push(points / (storedMs / 1000));
      process.stdout.write(
        `round ${round}: ${thousands(stored.at(-1))} rows/s queryable, ${thousands(read.at(-1))} points/s to nothing\n`,
      );
    }
  } finally {
    await broker.stop();
    rmSync(home, { recursive: true, force: true });
  }
  const ratio = stored.map((rate, index) => rate / (read[index] ?? Number.NaN));
  return [
    summarise('kafka', 'Kafka to queryable ÷ to nothing', '×', ratio, { pass: 0.4, aim: 0.8, better: 'higher' }),
    summarise('kafka.stored', 'Kafka to queryable', 'rows/s', stored, { better: 'higher' }),
    summarise('kafka.nothing', 'the same client to nothing', 'points/s', read, { better: 'higher' }),
    summarise('kafka.appended', 'appended and acknowledged by the broker', 'points/s', appended, { better: 'higher' }),
  ];
}

const thousands = (value = 0) => Math.round(value).toLocaleString('en-US');

/** Appends the whole data set: every tenant sends what it has in its order, all of them at once. */
async function fill(log: KafkaLog, requests: readonly BenchRequest[]): Promise<void> {
  const receivedAt = Date.now();
  const byTenant = Map.groupBy(requests, ({ tenant }) => tenant);
  const send = async (own: readonly BenchRequest[]) => {
    for (const request of own) await log.append('telemetry', [toMessage(request, receivedAt)]);
  };
  await Promise.all([...byTenant.values()].map(send));
}

function toMessage({ tenant, body }: BenchRequest, receivedAt: number): LogMessage {
  const payload = gunzipSync(body);
  const counts = scanOtlp('metrics', payload, timeBounds(receivedAt)).hours;
  const headers = toHeaders({
    tenant: `bench-${tenant}`,
    tenantNumber: tenant + 1,
    signal: 'metrics',
    encoding: 'otlp',
    receivedAt,
    credential: 'bench',
    batch: `b${receivedAt}`,
    part: 0,
    parts: 1,
    counts,
  });
  return { key: `bench-${tenant}`, headers, payload, packed: body };
}

/** Milliseconds until a group of its own has read and unpacked everything. */
async function toNothing(log: KafkaLog): Promise<number> {
  let bytes = 0;
  const consumer = log.consumer({
    topic: 'telemetry',
    group: 'nothing',
    maxRecords: 2000,
    maxBytes: 48 * 1024 * 1024,
    lingerMs: 50,
    busyLingerMs: 400,
    async handle({ records }) {
      for (const record of records) bytes += usePayload(record, (payload) => payload.length);
    },
    onError(error) {
      throw error;
    },
  });
  const began = performance.now();
  await consumer.start();
  await until(
    () => consumer.lag(),
    (lag) => lag === 0,
    120,
  );
  const tookMs = performance.now() - began;
  await consumer.stop();
  if (bytes === 0) throw new Error('nothing was read');
  return tookMs;
}

/** Milliseconds until SELECT counts every point. */
async function toTables(log: KafkaLog, dir: string): Promise<number> {
  const store = createChdbStore({ dir, logger: silent, clock: systemClock, memoryBytes: 450 * 1024 * 1024 });
  await store.start();
  const consumer = createTelemetryConsumer({
    log,
    store,
    tenants: { byNumber: () => undefined },
    identities: createStoreUsageIdentities(store),
    createDecoder: () => createOtlpDecoder(),
    bounds: (at) => timeBounds(at),
    retentionDays: 400,
    clock: systemClock,
    logger: silent,
  });
  const began = performance.now();
  await consumer.start();
  await until(
    () => consumer.lag(),
    (lag) => lag === 0,
    300,
  );
  const tookMs = performance.now() - began;
  // What is committed is in the tables. Asked once and not in the time: each question costs what a batch does.
  const rows = (await store.query(countSamples, {}))[0]?.rows ?? 0;
  if (rows !== points) throw new Error(`${rows} rows are queryable, ${points} points were sent`);
  await consumer.stop();
  await store.stop();
  return tookMs;
}
