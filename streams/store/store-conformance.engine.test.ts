import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { operatorToken, startTestingServer, type TestingServer } from './clickhouse-http/testing/server.ts';
import { storeConformance } from './conformance.ts';
import { createHttpStore, type HttpStoreOptions } from './http-store.ts';
import { fixedClock, openStoreFixture, rowsOf, silentLogger } from './store-fixture.ts';

storeConformance('chdb', async () => {
  const fixture = await openStoreFixture();
  return {
    get store() {
      return fixture.store;
    },
    restart: async () => void (await fixture.reopen()),
    dispose: () => fixture.close(),
  };
});

const httpStore = (url: string, options: Partial<HttpStoreOptions> = {}) =>
  createHttpStore({
    address: { url, user: 'operator', password: operatorToken, database: 'default' },
    logger: silentLogger,
    clock: fixedClock(1_790_000_000_000),
    startWaitSeconds: 5,
    ...options,
  });

storeConformance('http', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'pulse-server-'));
  let server = await startTestingServer({ dir, mode: 'read-write' });
  const store = httpStore(server.url);
  await store.start();
  return {
    store,
    async restart() {
      const { port } = server;
      await server.kill();
      server = await startTestingServer({ dir, mode: 'read-write', port });
    },
    async dispose() {
      await store.stop();
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
});

describe('a server that comes and goes', () => {
  let dir: string;
  let server: TestingServer;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'pulse-server-'));
    server = await startTestingServer({ dir, mode: 'read-write' });
  });
  afterAll(async () => {
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  });
  const row = { table: 'rolled', rows: 1, columns: [{ name: 'tenant', type: 'UInt32', values: new Uint32Array([1]) }] };

  test('several processes that start at once on an empty database make the schema once', async () => {
    const stores = [1, 2, 3].map(() =>
      httpStore(server.url, { address: { url: server.url, user: 'o', password: operatorToken, database: 'fresh' } }),
    );
    await Promise.all(stores.map((store) => store.start()));
    const [store] = stores;
    if (store === undefined) throw new Error('no store');
    expect(
      await rowsOf(store, 'SELECT count() = uniqExact(version) AND count() > 8 AS once FROM schema_migrations'),
    ).toEqual([{ once: 1 }]);
    expect(
      await rowsOf(store, "SELECT name FROM system.tables WHERE database = 'fresh' AND name LIKE '%lock%'"),
    ).toEqual([]);
    await Promise.all(stores.map((one) => one.stop()));
  });

  test('nobody there is unavailable, and so is a store that was not started; a block is sent again once the server is back', async () => {
    const store = httpStore(server.url);
    await expect(rowsOf(store, 'SELECT 1')).rejects.toMatchObject({ code: 'store.unavailable' });
    await store.start();
    const { port } = server;
    await server.kill();
    await expect(rowsOf(store, 'SELECT 1')).rejects.toMatchObject({ code: 'store.unavailable', retryable: true });
    await expect(store.execute('SELECT 1')).rejects.toMatchObject({ code: 'store.unavailable', retryable: true });
    await expect(httpStore(server.url, { startWaitSeconds: 0 }).start()).rejects.toMatchObject({
      code: 'store.unavailable',
    });
    server = await startTestingServer({ dir, mode: 'read-write', port });
    await store.insert(row, 'again');
    expect(await rowsOf(store, 'SELECT count() AS n FROM rolled')).toEqual([{ n: '1' }]);
    await store.stop();
  });

  test('a wrong password and a server that never answers are told apart', async () => {
    const wrong = httpStore(server.url, {
      address: { url: server.url, user: 'o', password: 'no', database: 'default' },
    });
    await expect(wrong.start()).rejects.toMatchObject({ code: 'store.query_failed', context: { engineCode: '516' } });
  });
});
