import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { createKafkaLog, type KafkaLogOptions } from 'streams/log';
import { systemClock } from 'streams/runtime';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../pulse-process.ts';
import { type Broker, startBroker } from './broker.ts';

const home = mkdtempSync(join(tmpdir(), 'pulse-kafka-tls-'));
const password = 'a password with spaces';
let broker: Broker;
let secured: string;
let ca: string;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

beforeAll(async () => {
  const altNames = [{ type: 7 as const, ip: '127.0.0.1' }];
  const made = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    extensions: [{ name: 'subjectAltName', altNames }],
  });
  ca = made.cert;
  const keystore = join(home, 'broker.pem');
  writeFileSync(keystore, `${made.private}\n${made.cert}`);
  mkdirSync(join(home, 'broker'));
  const port = await freePort();
  secured = `127.0.0.1:${port}`;
  broker = await startBroker(join(home, 'broker'), (plain) => [
    `listeners=PLAINTEXT://127.0.0.1:${plain},CONTROLLER://127.0.0.1:${plain + 1},SECURE://${secured}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${plain},SECURE://${secured}`,
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL',
    'ssl.keystore.type=PEM',
    `ssl.keystore.location=${keystore}`,
    'listener.name.secure.sasl.enabled.mechanisms=PLAIN',
    `listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_pulse="${password}";`,
  ]);
});
afterAll(async () => {
  await broker.stop();
  rmSync(home, { recursive: true, force: true });
});

const open = (connection: Partial<KafkaLogOptions['connection']>) =>
  createKafkaLog({
    connection: { brokers: [secured], ...connection },
    clock: systemClock,
    prefix: 'secured.',
    partitions: 2,
  });
const sasl = (word: string) => ({ mechanism: 'PLAIN' as const, username: 'pulse', password: () => word });

test('appends, reads and consumes over TLS as a user with a password', async () => {
  const log = open({ tls: { ca }, sasl: sasl(password) });
  await log.start();
  expect(log.status().away).toBeNull();
  await log.append('telemetry', [{ key: 'isp-a', headers: {}, payload: Buffer.from('x') }]);
  const seen: string[] = [];
  const consumer = log.consumer({
    topic: 'telemetry',
    group: 'store',
    maxRecords: 10,
    maxBytes: 1000,
    lingerMs: 0,
    async handle({ records }) {
      seen.push(...records.map(({ payload }) => Buffer.from(payload).toString()));
    },
    onError: () => undefined,
  });
  await consumer.start();
  await until(
    async () => seen.length,
    (count) => count === 1,
  );
  await log.stop();
});

test.each([
  ['a wrong password', () => open({ tls: { ca }, sasl: sasl('wrong') })],
  ['a certificate of an unknown authority', () => open({ tls: {}, sasl: sasl(password) })],
  ['no TLS', () => open({})],
])(
  '%s is refused, said without the password, and does not keep the process from starting',
  { timeout: 90_000 },
  async (_, make) => {
    const log = make();
    await log.start();
    const { away } = log.status();
    expect(away).not.toBeNull();
    expect(away).not.toContain(password);
    await expect(
      log.append('telemetry', [{ key: 'isp-a', headers: {}, payload: Buffer.from('x') }]),
    ).rejects.toMatchObject({ code: 'log.unavailable', retryable: true });
    await log.stop();
  },
);
