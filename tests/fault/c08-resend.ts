import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { compressSync } from 'snappy';
import { encodeOtlp } from 'streams/otlp';
import { encodeMessage, toMessage } from 'streams/otlp/remote-write-messages';
import type { PulseProcess } from '../pulse-process.ts';
import type { FaultCheck } from './check.ts';
import { createUsageClient, encodeCounter, periodOfInstant, startMetering, type UsageClient } from './usage-client.ts';

const protobuf = { 'content-type': 'application/x-protobuf' };

/** C08: the same requests again and again, over every protocol that a bill can come from. */
export const resend: FaultCheck = {
  id: 'C08',
  title: 'identical requests sent five times',
  guarantee: 'usage and drafts are the same to the last digit, also after a restart',
  async run({ dir, size, progress, deadline }) {
    rmSync(join(dir, 'data'), { recursive: true, force: true });
    let pulse = await startMetering(dir);
    try {
      const client = await createUsageClient(() => pulse, 'isp-resend');
      const nowMs = Math.floor(Date.now() / 1000) * 1000;
      const rounds = size === 'full' ? 10 : 1;
      const wrong: string[] = [];
      let sent = 0;
      let units = 0;
      for (let round = 0; round < rounds && Date.now() < deadline; round += 1) {
        const requests = requestsOf(round, nowMs);
        const once = async () => {
          for (const request of requests) {
            const status = await request(client, pulse);
            sent += 1;
            if (status !== 200 && status !== 204) wrong.push(`round ${round}: a request was answered ${status}`);
          }
        };
        await once();
        await client.settled();
        const before = JSON.stringify(await client.bill(periodOfInstant(nowMs)));
        for (let again = 0; again < 2; again += 1) await once();
        await pulse.stop();
        pulse = await startMetering(dir);
        for (let again = 0; again < 2; again += 1) await once();
        await client.settled();
        const bill = await client.bill(periodOfInstant(nowMs));
        if (JSON.stringify(bill) !== before) wrong.push(`round ${round}: ${before} became ${JSON.stringify(bill)}`);
        for (const meter of ['api_calls', 'network_bytes', 'active_customers']) {
          if (Number(bill.meters[meter] ?? 0) <= 0) wrong.push(`round ${round}: ${meter} counted nothing`);
        }
        units += JSON.stringify(bill) === before ? 0 : 1;
        progress(`round ${round + 1} of ${rounds}`);
      }
      const { duplicates } = await client.get<{ duplicates: { metrics: number; events: number } }>(
        `/api/v1/billing/usage/quality?period=${periodOfInstant(nowMs)}`,
      );
      if (duplicates.metrics === 0 || duplicates.events === 0) wrong.push('no duplicate was counted');
      return {
        passed: wrong.length === 0,
        figure: `${sent} requests, ${duplicates.metrics + duplicates.events} repeated records, ${units} bills changed`,
        details: wrong.slice(0, 20),
      };
    } finally {
      await pulse.stop();
    }
  },
};

type Send = (client: UsageClient, pulse: PulseProcess) => Promise<number>;

/** OTLP over HTTP and gRPC, remote-write of both versions, and usage events with and without a time. */
function requestsOf(round: number, nowMs: number): Send[] {
  const at = (seconds: number) => nowMs - (3600 - (round % 10) * 60 - seconds) * 1000;
  const startMs = nowMs - 3_700_000;
  const counter = (name: string) =>
    encodeCounter(
      name,
      [0, 20, 40].map((seconds) => ({ timeMs: at(seconds), startMs, value: round * 6000 + 1000 + seconds * 10 })),
    );
  const level = encodeOtlp('metrics', {
    resourceMetrics: [
      {
        resource: {},
        scopeMetrics: [
          {
            metrics: [
              {
                name: 'dotmac.customers.active',
                unit: '{customer}',
                gauge: { dataPoints: [{ timeUnixNano: `${at(5)}000000`, asInt: String(100 + round) }] },
              },
            ],
          },
        ],
      },
    ],
  });
  const event = (id: string, time: object) => ({
    specversion: '1.0',
    type: 'api_calls',
    source: '/isp',
    id: `${id}-${round}`,
    ...time,
    data: { value: '12.5' },
  });
  return [
    (client, pulse) => client.post(pulse.otlpHttp, '/v1/metrics', counter('eth0'), protobuf),
    (client, pulse) => client.post(pulse.otlpHttp, '/v1/metrics', level, protobuf),
    (client, pulse) => sendByGrpc(pulse, client.key, counter('eth1')),
    ...(['1.0', '2.0'] as const).map(
      (version): Send =>
        (client, pulse) =>
          client.post(pulse.http, '/api/v1/write', remoteWrite(version, at(10), round), {
            'content-type':
              version === '1.0'
                ? 'application/x-protobuf'
                : 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
            'content-encoding': 'snappy',
            'x-prometheus-remote-write-version': version === '1.0' ? '0.1.0' : '2.0.0',
          }),
    ),
    async (client) => (await client.events(event('timed', { time: new Date(at(0)).toISOString() }))).status,
    async (client) => (await client.events(event('untimed', {}))).status,
  ];
}

function remoteWrite(version: '1.0' | '2.0', timestamp: number, round: number): Uint8Array {
  const labels: [string, string][] = [
    // Version 1.0 has no names with dots.
    ['__name__', version === '1.0' ? 'dotmac_storage_usage' : 'dotmac.storage.usage'],
    ['volume', version],
  ];
  const series = [{ labels, samples: [{ timestamp, value: 5_000_000_000 + round }] }];
  return compressSync(Buffer.from(encodeMessage(version, toMessage(version, series)))) as Buffer;
}

function sendByGrpc(pulse: PulseProcess, key: string, body: Uint8Array): Promise<number> {
  const client = new Client(new URL(pulse.otlpGrpc).host, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${key}`);
  const path = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';
  return new Promise((resolve) => {
    const bytes = (message: Uint8Array) => Buffer.from(message);
    client.makeUnaryRequest(
      path,
      bytes,
      (answer: Buffer) => answer,
      body,
      metadata,
      (error) => {
        client.close();
        resolve(error === null ? 200 : 500 + error.code);
      },
    );
  });
}
