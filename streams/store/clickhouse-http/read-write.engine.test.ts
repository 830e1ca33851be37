import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClickhouseListener } from './listener.ts';
import { insertFromFile } from './read-write.ts';
import { operatorToken, startTestingServer, type TestingServer } from './testing/server.ts';

let dir: string;
let server: TestingServer;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pulse-server-'));
  server = await startTestingServer({ dir, mode: 'read-write', tenants: { own: 1 } });
});
afterAll(async () => {
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

test('the official client makes tables, inserts in several formats and reads back', async () => {
  const client = createClient({
    url: server.url,
    password: operatorToken,
    compression: { request: true },
    log: { level: ClickHouseLogLevel.OFF },
  });
  await client.command({ query: 'CREATE TABLE t (a UInt32, b String) ENGINE = MergeTree ORDER BY a' });
  await client.insert({
    table: 't',
    values: [
      { a: 1, b: 'é\n' },
      { a: 2, b: "'" },
    ],
    format: 'JSONEachRow',
  });
  await client.insert({ table: 't', values: Readable.from(['3,"x"\n4,"y"\n'], { objectMode: false }), format: 'CSV' });
  await client.command({ query: "INSERT INTO t VALUES (5, 'five')" });
  await client.command({ query: 'INSERT INTO t SELECT a + 10, b FROM t WHERE a = {a:UInt32}', query_params: { a: 5 } });
  const rows = await client.query({ query: 'SELECT a, b FROM t ORDER BY a', format: 'JSONCompactEachRow' });
  expect(await rows.json()).toEqual([
    [1, 'é\n'],
    [2, "'"],
    [3, 'x'],
    [4, 'y'],
    [5, 'five'],
    [15, 'five'],
  ]);
  await expect(client.insert({ table: 'nowhere', values: [{ a: 1 }], format: 'JSONEachRow' })).rejects.toMatchObject({
    code: '60',
  });
  await expect(client.insert({ table: 't', values: [{ a: 'x' }], format: 'JSONEachRow' })).rejects.toMatchObject({
    type: expect.stringMatching(/CANNOT_PARSE/),
  });
  await client.close();
});

test('settings of one request do not reach the next', async () => {
  const ask = async (sql: string, search = '') =>
    (await fetch(`${server.url}/?password=${operatorToken}${search}`, { method: 'POST', body: sql })).text();
  expect(await ask("SELECT getSetting('max_block_size')", '&max_block_size=77')).toBe('77\n');
  expect(await ask("SELECT getSetting('max_block_size')")).not.toBe('77\n');
  await ask('CREATE DATABASE other');
  expect(await ask('SELECT currentDatabase()', '&database=other')).toBe('other\n');
  expect(await ask('SELECT currentDatabase()')).toBe('default\n');
});

test('a GET changes nothing, a tenant’s key and a stranger may do nothing, loopback is the only place to listen', async () => {
  const get = (search: string) => fetch(`${server.url}/?password=${operatorToken}&query=${encodeURIComponent(search)}`);
  expect((await get('CREATE TABLE g (a Int8) ENGINE = Memory')).headers.get('x-clickhouse-exception-code')).toBe('164');
  expect(
    (await fetch(`${server.url}/?password=key-own&query=SELECT%201`)).headers.get('x-clickhouse-exception-code'),
  ).toBe('497');
  expect((await fetch(`${server.url}/?query=SELECT%201`)).status).toBe(401);
  const listener = createClickhouseListener({
    service: { serve: () => Promise.reject(new Error('not asked')) },
    access: { authenticate: async () => null },
    logger: pino({ level: 'silent' }),
    frame: async () => ({ version: '', timeZone: '' }),
    loopbackOnly: true,
  });
  await expect(listener.listen({ host: '0.0.0.0', port: 0, variable: 'PORT', tls: null })).rejects.toMatchObject({
    code: 'config.invalid',
  });
});

test('the bodies of inserts go by file and leave none behind; a body that breaks off inserts nothing', async () => {
  const search = `/?password=${operatorToken}&query=${encodeURIComponent('INSERT INTO rolled (tenant, rows) FORMAT TSV')}`;
  const insert = (body: Uint8Array<ArrayBuffer>, encoding = 'identity') =>
    fetch(server.url + search, { method: 'POST', body, headers: { 'content-encoding': encoding } });
  const answer = await insert(gzipSync('1\t2\n2\t3\n'), 'gzip');
  expect(answer.status).toBe(200);
  expect(JSON.parse(answer.headers.get('x-clickhouse-summary') ?? '')).toMatchObject({ written_rows: '2' });
  expect((await insert(gzipSync('1\t2\n'.repeat(1000)).subarray(0, 20), 'gzip')).status).toBeGreaterThanOrEqual(400);
  const count = await fetch(`${server.url}/?password=${operatorToken}&query=SELECT%20count()%20FROM%20rolled`);
  expect(await count.text()).toBe('2\n');
});

test('an insert is on disk when it is acknowledged', async () => {
  const ask = async (sql: string) =>
    (await fetch(`${server.url}/?password=${operatorToken}`, { method: 'POST', body: sql })).text();
  const syncs = async () =>
    Number(await ask("SELECT sum(value) FROM system.events WHERE event IN ('FileSync', 'DirectorySync')"));
  await ask('CREATE TABLE synced (a UInt8) ENGINE = MergeTree ORDER BY a');
  const before = await syncs();
  await ask('INSERT INTO synced VALUES (1)');
  // At least the part's data and its folder.
  expect((await syncs()) - before).toBeGreaterThanOrEqual(2);
});

test('an insert’s data are told from its statement', () => {
  const cases: readonly (readonly [sql: string, from: string | null])[] = [
    ['INSERT INTO t FORMAT Native', "INSERT INTO t FROM INFILE '/f' FORMAT Native"],
    [
      "insert into `t` (a, `b c`) settings x = 1, y='z' format CSV\n",
      "insert into `t` (a, `b c`) FROM INFILE '/f' settings x = 1, y='z' format CSV",
    ],
    ['INSERT INTO t VALUES ', "INSERT INTO t FROM INFILE '/f' FORMAT Values"],
    ['INSERT INTO t SELECT 1 FORMAT Null', null],
    ['INSERT INTO t VALUES (1)', null],
    ['SELECT 1 FORMAT CSV', null],
  ];
  for (const [sql, expected] of cases) expect([sql, insertFromFile(sql, '/f')]).toEqual([sql, expected]);
});
