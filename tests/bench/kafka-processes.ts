import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, type ProcessName, startCluster } from '../cluster/cluster.ts';
import { call, createTenant, metricSum, until } from '../pulse-process.ts';
import { type BenchRequest, buildDataset, shape, totalPoints } from './dataset.ts';
import { type BenchResult, summarise } from './results.ts';

/**
 * Two ingest and two stream processes against one broker and one store process, ÷ one of each: from the first request until the API counts every point.
 *
 * *Bias* all processes, broker, database and senders share this machine: on two cores the ratio says what the second pair costs, not what it brings.
 */
export async function kafkaProcesses(): Promise<BenchResult[]> {
  const requests = buildDataset(Date.now() - 2 * 3_600_000);
  const one = await rate(['store', 'ingest-1', 'streams-2'], requests);
  const two = await rate(['store', 'ingest-1', 'ingest-2', 'streams-1', 'streams-2'], requests);
  const target = { better: 'higher' as const };
  return [
    summarise('kafka-processes', 'two ingest and two streams ÷ one of each', '×', [two / one], target),
    summarise('kafka-processes.one', 'one ingest, one streams', 'points/s', [one], target),
    summarise('kafka-processes.two', 'two ingest, two streams', 'points/s', [two], target),
  ];
}

/** Of topic `telemetry` by default. */
const partitionCount = 12;

async function rate(only: readonly ProcessName[], requests: readonly BenchRequest[]): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'pulse-bench-cluster-'));
  const cluster = await startCluster({ dir, only, log: () => undefined });
  try {
    const api = cluster.process('streams-2');
    const keys: string[] = [];
    for (let tenant = 0; tenant < shape.tenants; tenant += 1)
      keys.push(await createTenant(api, { id: `bench-${tenant}` }));
    const shares = await until(
      () => partitions(cluster, only),
      // The second one comes while the first has them all.
      (counts) => counts.every((count) => count === partitionCount / counts.length),
      60,
    );
    const doors = only.filter((name) => name.startsWith('ingest')).map((name) => cluster.process(name).otlpHttp);
    const began = performance.now();
    await sendAll(doors, keys, requests);
    const range = `start=${new Date(Date.now() - 86_400_000).toISOString()}&end=${new Date().toISOString()}`;
    await until(
      async () => {
        const counts = await Promise.all(
          keys.map((token) => call<{ points: number }>(api, `/api/v1/telemetry/counts?${range}`, { token })),
        );
        return counts.reduce((sum, { body }) => sum + body.points, 0);
      },
      (points) => points === totalPoints,
      180,
    );
    const seconds = (performance.now() - began) / 1000;
    process.stdout.write(
      `${doors.length} and ${shares.length}: partitions ${shares.join(' and ')}, ${Math.round(totalPoints / seconds).toLocaleString('en-US')} points/s\n`,
    );
    return totalPoints / seconds;
  } finally {
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** How many partitions of `telemetry` each stream process has. */
function partitions(cluster: Cluster, only: readonly ProcessName[]): Promise<number[]> {
  const streams = only.filter((name) => name.startsWith('streams'));
  const metric = 'pulse_log_assigned_partitions\\{topic="telemetry",group="store"\\}';
  return Promise.all(streams.map((name) => metricSum(cluster.process(name), metric).catch(() => 0)));
}

async function sendAll(doors: readonly string[], keys: readonly string[], requests: readonly BenchRequest[]) {
  const byTenant = Map.groupBy(requests, ({ tenant }) => tenant);
  await Promise.all(
    [...byTenant].map(async ([tenant, own]) => {
      for (const [index, { body }] of own.entries())
        await send(doors[index % doors.length] ?? '', keys[tenant] ?? '', body);
    }),
  );
}

async function send(door: string, key: string, body: Buffer): Promise<void> {
  for (;;) {
    const response = await fetch(`${door}/v1/metrics`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/x-protobuf',
        'content-encoding': 'gzip',
      },
      body: new Uint8Array(body),
    });
    await response.arrayBuffer();
    if (response.status === 200) return;
    if (![429, 503].includes(response.status)) throw new Error(`a request was answered ${response.status}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
