import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { ServerConfig } from './config.ts';
import { createApp } from './http-server.ts';
import { createLogger } from './logger.ts';

const config = ServerConfig.parse({
  headersTimeoutSeconds: 1,
  requestTimeoutSeconds: 1,
  connectionsCheckSeconds: 0.05,
});

async function answerTo(port: number, sent: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString();
  });
  socket.on('error', () => {});
  socket.write(sent);
  await once(socket, 'close');
  return answer;
}

test('what is answered below the routes is counted by code, of both applications together', async () => {
  const metrics = new Registry();
  const [api, otlp] = [
    createApp(config, createLogger('silent'), { metrics }),
    createApp(config, createLogger('silent'), { metrics, refusals: 'status' }),
  ];
  for (const app of [api, otlp]) await app.listen({ host: '127.0.0.1', port: 0 });
  const [apiPort, otlpPort] = [api, otlp].map((app) => (app.server.address() as AddressInfo).port) as [number, number];
  const answers = await Promise.all([
    answerTo(apiPort, 'POST / HTTP/1.1\r\nhost: '),
    answerTo(otlpPort, 'POST /v1/metrics HTTP/1.1\r\nhost: x\r\n'),
    answerTo(apiPort, `GET / HTTP/1.1\r\nhost: x\r\nlong: ${'x'.repeat(100_000)}\r\n\r\n`),
    answerTo(otlpPort, 'hello\r\n\r\n'),
  ]);
  expect(answers.map((answer) => answer.slice(0, 12))).toEqual([
    'HTTP/1.1 408',
    'HTTP/1.1 408',
    'HTTP/1.1 431',
    'HTTP/1.1 400',
  ]);
  const counted = (await metrics.metrics()).split('\n').filter((line) => line.startsWith('pulse_http_broken_requests'));
  expect(counted.toSorted()).toEqual([
    'pulse_http_broken_requests_total{code="request.headers_too_large"} 1',
    'pulse_http_broken_requests_total{code="request.malformed"} 1',
    'pulse_http_broken_requests_total{code="request.timeout"} 2',
  ]);
  for (const app of [api, otlp]) await app.close();
});
