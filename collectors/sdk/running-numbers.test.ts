import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type Pulse, startPulse } from './index.ts';

let server: Server | undefined;
let pulse: Pulse | undefined;
afterEach(async () => {
  await pulse?.shutdown().catch(() => undefined);
  await new Promise((resolve) => (server === undefined ? resolve(null) : server.close(resolve)));
});

/** A receiver that answers with these statuses in turn, then 200. */
async function receive(
  statuses: number[],
): Promise<{ url: string; seen: { path: string; headers: IncomingHttpHeaders }[] }> {
  const seen: { path: string; headers: IncomingHttpHeaders }[] = [];
  server = createServer((request, response) => {
    request.resume().on('end', () => {
      seen.push({ path: request.url ?? '', headers: request.headers });
      const status = statuses.shift() ?? 200;
      response.writeHead(status, status === 503 ? { 'retry-after': '0' } : {}).end();
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const start = (url: string) =>
  startPulse({ endpoint: url, apiKey: 'key', serviceName: 'api', global: false, onError: () => undefined });

test('every export carries the numbers of its records; one that is tried again carries the same, one that is given up leaves a gap', async () => {
  const { url, seen } = await receive([503, 200, 400]);
  pulse = start(url);
  const logger = pulse.logger('test');
  for (const count of [3, 2, 1]) {
    for (let index = 0; index < count; index += 1) logger.emit({ body: `record ${index}` });
    await pulse.forceFlush().catch(() => undefined);
  }
  const logs = seen.filter(({ path }) => path === '/v1/logs').map(({ headers }) => headers);
  expect(logs.map((headers) => headers['pulse-sequence'])).toEqual(['1;3', '1;3', '4;2', '6;1']);
  expect(new Set(logs.map((headers) => headers['pulse-producer'])).size).toBe(1);
  expect(logs.every((headers) => headers.authorization === 'Bearer key')).toBe(true);
});

test('signals are numbered apart, and a new run is a new producer', async () => {
  const { url, seen } = await receive([]);
  pulse = start(url);
  pulse.meter('test').createGauge('level').record(1, { a: '1' });
  pulse.tracer('test').startSpan('work').end();
  await pulse.forceFlush();
  await pulse.shutdown();
  // The last metrics of a run go out once more when it ends.
  const first = new Map(seen.toReversed().map(({ path, headers }) => [path, headers]));
  expect(first.get('/v1/metrics')?.['pulse-sequence']).toBe('1;1');
  expect(first.get('/v1/traces')?.['pulse-sequence']).toBe('1;1');
  pulse = start(url);
  pulse.tracer('test').startSpan('work').end();
  await pulse.forceFlush();
  expect(seen.at(-1)?.headers['pulse-sequence']).toBe('1;1');
  expect(seen.at(-1)?.headers['pulse-producer']).not.toBe(first.get('/v1/traces')?.['pulse-producer']);
});
