import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type PeerCertificate } from 'node:tls';
import { credentials } from '@grpc/grpc-js';
import { pino } from 'pino';
import { encodeOtlp } from 'streams/otlp';
import { createHttpStore, noParams } from 'streams/store';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type TestCertificate, writeCertificate } from '../certificate.ts';
import { exportByGrpc } from '../grpc-client.ts';
import { type PulseProcess, startPulse, until } from '../pulse-process.ts';

const dir = mkdtempSync(join(tmpdir(), 'pulse-tls-'));
let pulse: PulseProcess | undefined;
afterAll(async () => {
  await pulse?.stop();
  for (const one of [dir, pulse?.dataDir]) if (one !== undefined) rmSync(one, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly body: string;
}

function call(url: string, ca: string, init: { token: string; type?: string; body?: Uint8Array }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        ca,
        method: init.body === undefined ? 'GET' : 'POST',
        headers: {
          authorization: `Bearer ${init.token}`,
          ...(init.type === undefined ? {} : { 'content-type': init.type }),
        },
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    sent.on('error', reject).end(init.body);
  });
}

/** SHA-256 of the certificate that a new connection is shown. */
function shownBy(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: hostname,
      port: Number(port),
      rejectUnauthorized: false,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    socket.on('error', reject).on('secureConnect', () => {
      const certificate: PeerCertificate = socket.getPeerCertificate();
      socket.destroy();
      resolve(certificate.fingerprint256);
    });
  });
}

const addressesOf = ({ http, otlpHttp, otlpGrpc, clickhouseHttp }: PulseProcess) => [
  http,
  otlpHttp,
  otlpGrpc,
  clickhouseHttp ?? '',
];

test('with a certificate all four listeners speak TLS and nothing else, and take a renewed one without a restart', async () => {
  let certificate: TestCertificate = await writeCertificate(dir);
  const config = join(dir, 'pulse.yaml');
  writeFileSync(config, 'server:\n  certificateCheckSeconds: 0.1\n');
  pulse = await startPulse({
    args: [`--config=${config}`],
    environment: {
      PULSE_TLS_CERT: certificate.certFile,
      PULSE_TLS_KEY: certificate.keyFile,
      PULSE_CLICKHOUSE_HTTP_PORT: '0',
    },
  });
  const server = pulse;
  for (const address of addressesOf(server)) {
    expect(address).toMatch(/^https:/);
    expect(await shownBy(address)).toBe(certificate.fingerprint);
    await expect(fetch(address.replace('https:', 'http:'))).rejects.toThrow();
  }

  const tenant = JSON.stringify({ id: 'isp-tls', name: 'isp-tls' });
  const created = await call(`${server.http}/api/v1/tenants`, certificate.cert, {
    token: server.token,
    type: 'application/json',
    body: Buffer.from(tenant),
  });
  expect(created.status).toBe(201);
  const { apiKey: key } = JSON.parse(created.body) as { apiKey: string };
  const dataPoints = [{ timeUnixNano: `${Date.now()}000000`, asInt: '1' }];
  const message = encodeOtlp('metrics', {
    resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'm', gauge: { dataPoints } }] }] }],
  });
  const send = (ca: string) => [
    call(`${server.otlpHttp}/v1/metrics`, ca, { token: key, type: 'application/x-protobuf', body: message }).then(
      ({ status }) => status,
    ),
    exportByGrpc(server.otlpGrpc, message, { key, tls: credentials.createSsl(Buffer.from(ca)) }).then(
      ({ code }) => code,
    ),
  ];
  expect(await Promise.all(send(certificate.cert))).toEqual([200, 0]);

  const asked = await call(`${server.clickhouseHttp}/?query=SELECT%201`, certificate.cert, { token: key });
  expect(asked).toEqual({ status: 200, body: '1\n' });

  // A pair that does not belong together is not taken.
  writeFileSync(certificate.keyFile, 'no key');
  await until(
    async () => server.output(),
    (output) => output.includes('the old one stays'),
  );
  expect(await Promise.all(send(certificate.cert))).toEqual([200, 0]);

  certificate = await writeCertificate(dir);
  for (const address of addressesOf(server)) {
    await until(
      () => shownBy(address),
      (shown) => shown === certificate.fingerprint,
      10,
    );
  }
  expect(await Promise.all(send(certificate.cert))).toEqual([200, 0]);
});

test('the store on a server is reached through TLS, with its own certificate authority and no other', async () => {
  const folder = mkdtempSync(join(dir, 'store-'));
  const certificate = await writeCertificate(folder);
  const server = await startPulse({
    environment: {
      PULSE_TARGET: 'store',
      PULSE_TLS_CERT: certificate.certFile,
      PULSE_TLS_KEY: certificate.keyFile,
      PULSE_CLICKHOUSE_HTTP_PORT: '0',
    },
  });
  try {
    const options = {
      address: { url: server.clickhouseHttp ?? '', user: 'operator', password: server.token, database: 'default' },
      logger: pino({ level: 'silent' }),
      clock: { now: () => Date.now() },
      startWaitSeconds: 0,
    };
    const store = createHttpStore({ ...options, certificateAuthority: Buffer.from(certificate.cert) });
    await store.start();
    const tenant = { name: 'tenant', type: 'UInt32', values: new Uint32Array([1, 2]) };
    await store.insert({ table: 'rolled', rows: 2, columns: [tenant] }, 'token');
    const count = {
      name: 'count',
      sql: 'SELECT count() AS n FROM rolled',
      params: noParams,
      row: z.object({ n: z.string() }),
    };
    expect(await store.query(count, {})).toEqual([{ n: '2' }]);
    await store.stop();
    await expect(createHttpStore(options).start()).rejects.toMatchObject({ code: expect.stringMatching(/^store\./) });
  } finally {
    await server.stop();
    rmSync(server.dataDir, { recursive: true, force: true });
  }
});

test.each([
  ['a non-loopback address without TLS', { PULSE_HOST: '0.0.0.0' }, 'server.host 0.0.0.0'],
  ['a certificate without a key', { PULSE_TLS_CERT: '/cert.pem' }, 'go together'],
  ['files that are no pair', { PULSE_TLS_CERT: '/nowhere.pem', PULSE_TLS_KEY: '/nowhere.key' }, 'no usable pair'],
])('%s is refused at the start', (_what, environment, text) => {
  const root = join(import.meta.dirname, '../..');
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'main.ts')], {
    cwd: root,
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'],
      PULSE_DATA_DIR: join(dir, 'refused'),
      PULSE_DEMO: 'off',
      PULSE_HTTP_PORT: '0',
      PULSE_OTLP_HTTP_PORT: '0',
      PULSE_OTLP_GRPC_PORT: '0',
      ...environment,
    },
  });
  expect(status).toBe(1);
  expect(stderr).toContain(text);
  expect(stderr).toContain('[config.invalid]');
});
