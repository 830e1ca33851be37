import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { spawnFleet } from './child-process.ts';
import { decodeMetrics, plain } from './otlp-proto.fixture.ts';
import { type FleetOptions, type FleetProgress, runFleet } from './run-fleet.ts';

const CREATED = Date.UTC(2026, 10, 21, 9);
const NOW = CREATED + 60_000;

/** A stand-in of the server's doors: keeps what arrives by identity, refuses now and then, counts duplicates. */
class Doors {
  readonly tenants = new Set<string>();
  readonly keys = new Map<string, string>();
  readonly samples = new Map<string, string>();
  readonly events = new Map<string, string>();
  readonly lastTime = new Map<string, number>();
  readonly problems: string[] = [];
  duplicates = 0;
  records = { traces: 0, logs: 0 };
  requests = 0;
  failEvery = 0;
  server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const [status, body] = this.answer(
          request.method ?? '',
          request.url ?? '',
          request.headers,
          Buffer.concat(parts),
        );
        response
          .writeHead(status, { 'content-type': 'application/json', ...(status === 503 ? { 'retry-after': '0' } : {}) })
          .end(body);
      });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  answer(method: string, path: string, headers: NodeJS.Dict<string | string[]>, body: Buffer): [number, string] {
    this.requests += 1;
    const token = String(headers['authorization']).replace('Bearer ', '');
    if (path === '/api/v1/tenants') return this.createTenant(token, JSON.parse(body.toString()) as { id: string });
    const keyOf = /^\/api\/v1\/tenants\/([a-z-]+)\/api-keys$/.exec(path)?.[1];
    if (keyOf !== undefined) return this.createKey(keyOf, JSON.parse(body.toString()) as { scopes: string[] });
    if (method === 'GET') return [200, JSON.stringify({ createdAt: new Date(CREATED).toISOString() })];
    const tenant = this.keys.get(token);
    if (tenant === undefined) return [401, '{"code":"access.unknown_key"}'];
    if (this.failEvery > 0 && this.requests % this.failEvery === 0) return [503, '{}'];
    if (path.endsWith('/usage-events'))
      this.takeEvents(tenant, JSON.parse(body.toString()) as { source: string; id: string }[]);
    else if (path === '/v1/metrics') this.takeMetrics(tenant, gunzipSync(body));
    else if (path === '/v1/traces') this.records.traces += 1;
    else if (path === '/v1/logs') this.records.logs += 1;
    else return [404, '{}'];
    return [200, ''];
  }

  private createTenant(token: string, tenant: { id: string }): [number, string] {
    if (token !== 'operator') return [401, '{}'];
    if (this.tenants.has(tenant.id)) return [409, '{"code":"tenant.exists"}'];
    this.tenants.add(tenant.id);
    return [
      201,
      JSON.stringify({ ...tenant, createdAt: new Date(CREATED).toISOString(), apiKey: `first-${tenant.id}` }),
    ];
  }

  private createKey(tenant: string, wanted: { scopes: string[] }): [number, string] {
    if (!wanted.scopes.includes('backfill')) this.problems.push('a key without backfill');
    const apiKey = `key-${tenant}-${this.keys.size}`;
    this.keys.set(apiKey, tenant);
    return [201, JSON.stringify({ apiKey })];
  }

  private takeMetrics(tenant: string, bytes: Buffer): void {
    if (bytes.length > 1.2 * 2 ** 20) this.problems.push(`a request of ${bytes.length} bytes`);
    const request = decodeMetrics(bytes);
    if (request.attributes['dotmac.tenant.id'] !== tenant) this.problems.push(`${tenant} sent another tenant's data`);
    let first = Number.POSITIVE_INFINITY;
    for (const metric of request.metrics) {
      for (const point of (metric.gauge ?? metric.sum ?? metric.histogram)?.dataPoints ?? []) {
        const attributes = plain(point.attributes);
        const key = `${tenant} ${metric.name} ${JSON.stringify(attributes)} ${point.timeUnixNano}`;
        const value = JSON.stringify([point.asInt, point.asDouble, point.count, point.bucketCounts]);
        const before = this.samples.get(key);
        if (before !== undefined) this.duplicates += 1;
        if (before !== undefined && before !== value) this.problems.push(`${key} came with two values`);
        this.samples.set(key, value);
        first = Math.min(first, Number(BigInt(point.timeUnixNano) / 1_000_000n));
      }
    }
    if (first < (this.lastTime.get(tenant) ?? 0)) this.problems.push(`${tenant} went back in time`);
    this.lastTime.set(tenant, first);
  }

  private takeEvents(tenant: string, events: { source: string; id: string }[]): void {
    for (const event of events) this.events.set(`${tenant} ${event.source} ${event.id}`, JSON.stringify(event));
  }
}

let folder: string;
let doors: Doors;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pulse-fleet-'));
  doors = new Doors();
  await new Promise<void>((resolve) => doors.server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  doors.server.closeAllConnections();
  await new Promise((resolve) => doors.server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

const options = (overrides: Partial<FleetOptions> = {}): FleetOptions => ({
  apiUrl: doors.url,
  otlpUrl: doors.url,
  operatorToken: 'operator',
  stateDir: join(folder, 'demo'),
  seed: 7,
  days: 4,
  tenantCount: 2,
  now: () => NOW,
  signal: new AbortController().signal,
  onProgress: () => undefined,
  historyOnly: true,
  ...overrides,
});

it('sends the whole past once, ascending, in bounded requests, and remembers it', async () => {
  const progress: FleetProgress[] = [];
  await runFleet(options({ tenantCount: 1, onProgress: (one) => progress.push(one) }));
  expect(doors.problems).toEqual([]);
  expect(doors.duplicates).toBe(0);
  // 1 day and 9 hours of 5-minute points, then 3 days of 1-minute ones, 44 series
  const start = Date.UTC(2026, 10, 17);
  const fine = Math.ceil((NOW - 3 * 86_400_000) / 300_000) * 300_000;
  const instants = (fine - start) / 300_000 + Math.ceil((NOW - fine) / 60_000);
  expect(doors.samples.size).toBe(44 * instants);
  expect(progress.at(-1)).toMatchObject({ points: doors.samples.size, fraction: 1, rejected: 0 });
  expect(doors.events.size).toBeGreaterThan(150);
  expect(doors.records.traces).toBeGreaterThan(10);
  expect(statSync(join(folder, 'demo/fleet.json')).mode & 0o777).toBe(0o600);
  const before = doors.requests;
  await runFleet(options({ tenantCount: 1 }));
  expect(doors.requests).toBe(before);
});

it('a second start after a refused and broken first one leaves every record once', async () => {
  doors.failEvery = 7;
  const stop = new AbortController();
  await runFleet(
    options({ days: 1, signal: stop.signal, onProgress: ({ fraction }) => fraction > 0.4 && stop.abort() }),
  );
  const reached = doors.samples.size;
  expect(reached).toBeGreaterThan(0);
  await runFleet(options({ days: 1 }));
  expect(doors.problems).toEqual([]);
  const interrupted = [new Map(doors.samples), new Map(doors.events)];
  expect(doors.samples.size).toBeGreaterThan(reached);
  doors.samples.clear();
  doors.events.clear();
  doors.lastTime.clear();
  rmSync(join(folder, 'demo'), { recursive: true });
  doors.failEvery = 0;
  // the state is lost: the tenants exist, and the same past comes again with the same values
  await runFleet(options({ days: 1 }));
  expect(doors.problems).toEqual([]);
  expect(doors.samples).toEqual(interrupted[0]);
  expect(doors.events).toEqual(interrupted[1]);
});

it('goes on live where the past ended', async () => {
  let now = NOW;
  const stop = new AbortController();
  const waits: number[] = [];
  await runFleet(
    options({
      tenantCount: 1,
      days: 1,
      historyOnly: false,
      now: () => now,
      signal: stop.signal,
      sender: {
        fetch,
        random: () => 0,
        wait: async (ms) => {
          waits.push(ms);
          now += ms;
          if (waits.length > 20) stop.abort();
        },
      },
    }),
  );
  expect(doors.problems).toEqual([]);
  const times = [...doors.samples.keys()]
    .filter((key) => key.includes('dotmac.customers.active'))
    .map((key) => Number(BigInt(key.split(' ').at(-1) ?? '') / 1_000_000n));
  expect(times.filter((time) => time >= NOW).length).toBeGreaterThan(15);
  const live = times.filter((time) => time >= NOW).sort((a, b) => a - b);
  for (let index = 1; index < live.length; index += 1) expect((live[index] ?? 0) - (live[index - 1] ?? 0)).toBe(15_000);
});

it('a wrong token or a damaged state is an error that says so', async () => {
  await expect(runFleet(options({ operatorToken: 'x' }))).rejects.toMatchObject({ code: 'fleet.refused' });
  await expect(runFleet(options({ days: 0 }))).rejects.toMatchObject({ code: 'fleet.option_invalid', field: 'days' });
  await runFleet(options({ days: 1, tenantCount: 1 }));
  writeFileSync(join(folder, 'demo/fleet.json'), '{"version":1');
  await expect(runFleet(options())).rejects.toMatchObject({ code: 'fleet.state_invalid' });
  expect(readFileSync(join(folder, 'demo/fleet.json'), 'utf8')).toBe('{"version":1');
});

it('runs as a child process and drains when asked', async () => {
  const seen: FleetProgress[] = [];
  const { apiUrl, otlpUrl, operatorToken, stateDir, seed } = options();
  let live: () => void = () => undefined;
  const isLive = new Promise<void>((resolve) => {
    live = resolve;
  });
  const child = spawnFleet({ apiUrl, otlpUrl, operatorToken, stateDir, seed, days: 1, tenantCount: 1 }, (progress) => {
    seen.push(progress);
    if (progress.fraction >= 1) live();
  });
  await Promise.race([isLive, child.ended.then((end) => Promise.reject(new Error(end.stderr)))]);
  await child.stop(10_000);
  expect(await child.ended).toEqual({ code: 0, stderr: '' });
  expect(seen.length).toBeGreaterThan(0);
  expect(doors.samples.size).toBeGreaterThan(44 * 1440);
});
