import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type ClickHouseClientConfigOptions, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { operatorToken, startTestingServer, type TestingServer } from './testing/server.ts';

let dir: string;
let server: TestingServer;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pulse-clients-'));
  server = await startTestingServer({
    dir,
    mode: 'read-only',
    tenants: { own: 1 },
    prepare: [
      'INSERT INTO log_records (tenant, Timestamp, Body, hash, retention_days) SELECT 1 + number % 2, now64(9), toString(number), number, 400 FROM numbers(20000)',
    ],
    limits: { running: 3, runningPerTenant: 2 },
  });
});
afterAll(async () => {
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

const clientOf = (password: string, options: ClickHouseClientConfigOptions = {}) =>
  createClient({ url: server.url, username: 'grafana', password, log: { level: ClickHouseLogLevel.OFF }, ...options });

describe('@clickhouse/client', () => {
  test('asks with values, in several formats, packed and not, and streams', async () => {
    for (const response of [false, true]) {
      const client = clientOf('key-own', { compression: { response } });
      const rows = await client.query({
        query:
          'SELECT hash, Body FROM log_records WHERE hash >= {from:UInt64} AND Body IN {bodies:Array(String)} ORDER BY hash LIMIT 3',
        query_params: { from: 4, bodies: ['4', '6', "it's"] },
        format: 'JSONEachRow',
        clickhouse_settings: { output_format_json_quote_64bit_integers: 1 },
      });
      expect(await rows.json()).toEqual([
        { hash: '4', Body: '4' },
        { hash: '6', Body: '6' },
      ]);
      const whole = await client.query({ query: 'SELECT count() AS n FROM log_records', format: 'JSON' });
      expect(await whole.json()).toMatchObject({
        data: [{ n: 10_000 }],
        rows: 1,
        meta: [{ name: 'n', type: 'UInt64' }],
      });
      let streamed = 0;
      const stream = await client.query({ query: 'SELECT hash FROM log_records', format: 'JSONCompactEachRow' });
      for await (const chunk of stream.stream()) streamed += chunk.length;
      expect(streamed).toBe(10_000);
      await client.close();
    }
  });

  test('is greeted, by a bearer token too', async () => {
    const client = clientOf(operatorToken);
    expect(await client.ping()).toEqual({ success: true });
    expect(await client.ping({ select: true })).toEqual({ success: true });
    const bearer = createClient({ url: server.url, access_token: operatorToken });
    expect(
      await (await bearer.query({ query: 'SELECT count() AS n FROM log_records', format: 'JSONEachRow' })).json(),
    ).toEqual([{ n: 20_000 }]);
    const stranger = clientOf('nobody');
    expect(await stranger.ping({ select: true })).toMatchObject({ success: false });
    await Promise.all([client.close(), bearer.close(), stranger.close()]);
  });

  test('may not insert, command or set', async () => {
    const client = clientOf(operatorToken);
    const refused = { code: '164', type: 'READONLY' };
    await expect(
      client.insert({ table: 'log_records', values: [{ tenant: 1 }], format: 'JSONEachRow' }),
    ).rejects.toMatchObject(refused);
    await expect(client.command({ query: 'DROP TABLE log_records' })).rejects.toMatchObject(refused);
    await expect(client.exec({ query: 'CREATE TABLE x (a Int8) ENGINE = Memory' })).rejects.toMatchObject(refused);
    await expect(client.query({ query: 'SELECT 1', clickhouse_settings: { allow_ddl: 1 } })).rejects.toMatchObject(
      refused,
    );
    await expect(client.query({ query: 'SELECT nothing' })).rejects.toMatchObject({
      code: '47',
      type: 'UNKNOWN_IDENTIFIER',
    });
    await expect(client.query({ query: 'SELEC 1' })).rejects.toMatchObject({ code: '62', type: 'SYNTAX_ERROR' });
    await client.close();
  });

  test('learns of an error in the middle of a stream', async () => {
    const client = clientOf(operatorToken);
    const error = await client
      .query({ query: 'SELECT intDiv(1, 9000 - hash) AS x FROM log_records', format: 'JSONEachRow' })
      .then((answer) => answer.json())
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: '153' });
    await client.close();
  });

  test('that goes away stops its statement, and its place is free for the next', async () => {
    const client = clientOf('key-own');
    const heavy =
      'SELECT count() FROM (SELECT arrayJoin(range(2000000)) AS a) AS x CROSS JOIN (SELECT arrayJoin(range(1000000)) AS b) AS y WHERE cityHash64(a, b) = 1';
    const gone = new AbortController();
    const pair = [1, 2].map(() =>
      client.query({ query: heavy, abort_signal: gone.signal }).then(
        () => null,
        (error: unknown) => error,
      ),
    );
    await expect
      .poll(() =>
        client.query({ query: 'SELECT 1' }).then(
          () => null,
          (error: unknown) => error,
        ),
      )
      .toMatchObject({ code: '202' });
    gone.abort();
    await Promise.all(pair);
    await expect
      .poll(
        async () =>
          client.query({ query: 'SELECT 1' }).then(
            async (answer) => (await answer.text()).length > 0,
            () => false,
          ),
        { timeout: 4000 },
      )
      .toBe(true);
    await client.close();
  });
});

/** Columns of one Native block of numbers and strings, as a client of revision 0 reads it. */
function readNative(bytes: Buffer): { name: string; type: string; first: string | number }[] {
  let at = 0;
  const byte = () => bytes[at++] ?? 0;
  const number = () => {
    let value = 0;
    for (let shift = 0, next = 0x80; next >= 0x80; shift += 7) {
      next = byte();
      value += (next & 0x7f) * 2 ** shift;
    }
    return value;
  };
  const text = () => {
    const length = number();
    at += length;
    return bytes.subarray(at - length, at).toString('utf8');
  };
  const columns = number();
  const rows = number();
  expect(rows).toBe(1);
  return Array.from({ length: columns }, () => {
    const name = text();
    const type = text();
    const size = { UInt8: 1, UInt32: 4 }[type];
    if (size === undefined) return { name, type, first: text() };
    at += size;
    return { name, type, first: bytes.readUIntLE(at - size, size) };
  });
}

describe('clickhouse-go over HTTP, as Grafana’s data source sends it', () => {
  /** *Source* clickhouse-go `conn_http.go`: POST, Native without client_protocol_version, gzip by header. */
  const ask = async (sql: string, search = '') => {
    const response = await fetch(
      `${server.url}/?database=default&default_format=Native&enable_http_compression=1&max_execution_time=60${search}`,
      {
        method: 'POST',
        body: sql,
        headers: {
          authorization: `Basic ${Buffer.from(`default:${operatorToken}`).toString('base64')}`,
          'accept-encoding': 'gzip',
        },
      },
    );
    return { response, bytes: Buffer.from(await response.arrayBuffer()) };
  };

  test('shakes hands and pings', async () => {
    const { response, bytes } = await ask('SELECT displayName(), version(), revision(), timezone()');
    expect(response.headers.get('content-encoding')).toBe('gzip');
    expect(readNative(bytes).map(({ name, type }) => [name, type])).toEqual([
      ['displayName()', 'String'],
      ['version()', 'String'],
      ['revision()', 'UInt32'],
      ['timezone()', 'String'],
    ]);
    expect(readNative((await ask('SELECT 1')).bytes)).toEqual([{ name: '1', type: 'UInt8', first: 1 }]);
  });

  test('lists databases, tables and columns, and asks what a panel asks', async () => {
    for (const sql of [
      'SELECT name FROM system.databases',
      "SELECT name FROM system.tables WHERE database = 'default'",
      'DESC TABLE "default"."log_records"',
      'SELECT toStartOfInterval(toDateTime(Timestamp), INTERVAL 60 second) as time, count() as n FROM "default"."log_records" WHERE ( Timestamp >= toDateTime(0) AND Timestamp <= toDateTime(4000000000) ) GROUP BY time ORDER BY time',
    ]) {
      expect([sql, (await ask(sql)).response.status]).toEqual([sql, 200]);
    }
  });

  test('is told what is wrong, with the code', async () => {
    const { response, bytes } = await ask('SELECT * FROM nothing');
    expect([response.status, response.headers.get('x-clickhouse-exception-code')]).toEqual([404, '60']);
    expect(bytes.toString()).toMatch(/^Code: 60\. DB::Exception: .*\(UNKNOWN_TABLE\) \(version /);
  });
});

describe('plain HTTP', () => {
  const key = { 'x-clickhouse-user': 'x', 'x-clickhouse-key': 'key-own' };
  const get = (path: string, headers: Record<string, string> = key) => fetch(`${server.url}${path}`, { headers });

  test('greets without a credential', async () => {
    for (const path of ['/', '/ping', '/replicas_status']) expect(await (await get(path, {})).text()).toBe('Ok.\n');
    expect((await get('/play')).status).toBe(404);
  });

  test('takes the statement from URL and body, the credential from every place, bodies packed', async () => {
    const one = await get('/?query=SELECT%201&send_progress_in_http_headers=1');
    expect([await one.text(), one.headers.has('x-clickhouse-progress')]).toEqual(['1\n', true]);
    expect(await (await get('/?query=SELECT%201&user=x&password=key-own', {})).text()).toBe('1\n');
    const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
      fetch(`${server.url}/?query=SELECT`, { method: 'POST', body, headers: { ...key, ...headers } });
    expect(await (await post('2')).text()).toBe('2\n');
    expect(await (await post(gzipSync('3'), { 'content-encoding': 'gzip' })).text()).toBe('3\n');
    expect(await (await post(zstdCompressSync('4'), { 'content-encoding': 'zstd' })).text()).toBe('4\n');
    expect((await post('no gzip', { 'content-encoding': 'gzip' })).status).toBe(400);
    expect((await post(gzipSync(Buffer.alloc(50_000_000)), { 'content-encoding': 'gzip' })).status).toBe(413);
  });

  test('gives binary formats byte for byte, and says what it sends', async () => {
    const bytes = async (format: string, sql = "SELECT unhex('00FF80') AS x") => {
      const response = await get(`/?query=${encodeURIComponent(sql)}&default_format=${format}`);
      return {
        type: response.headers.get('content-type'),
        format: response.headers.get('x-clickhouse-format'),
        body: Buffer.from(await response.arrayBuffer()),
      };
    };
    expect(await bytes('RowBinary')).toEqual({
      type: 'application/octet-stream',
      format: 'RowBinary',
      body: Buffer.from([3, 0, 255, 128]),
    });
    expect((await bytes('Native')).body).toEqual(
      Buffer.concat([
        Buffer.from([1, 1, 1]),
        Buffer.from('x'),
        Buffer.from([6]),
        Buffer.from('String'),
        Buffer.from([3, 0, 255, 128]),
      ]),
    );
    const parquet = (await bytes('Parquet', 'SELECT hash FROM log_records')).body;
    expect([parquet.subarray(0, 4).toString(), parquet.subarray(-4).toString()]).toEqual(['PAR1', 'PAR1']);
    const csv = await bytes('CSVWithNames', 'SELECT hash FROM log_records');
    expect(csv.body.toString().match(/"hash"/g)).toHaveLength(1);
    expect(csv.type).toBe('text/csv; charset=UTF-8; header=present');
  });

  test('packs answers when both sides want it', async () => {
    const raw = async (accept: string, on: string) => {
      const { request } = await import('node:http');
      return new Promise<{ encoding: string | undefined; body: Buffer }>((resolve, reject) => {
        request(
          `${server.url}/?query=SELECT%20'x'&enable_http_compression=${on}`,
          { headers: { ...key, 'accept-encoding': accept } },
          (response) => {
            const chunks: Buffer[] = [];
            response.on('data', (chunk: Buffer) => chunks.push(chunk));
            response.on('end', () =>
              resolve({ encoding: response.headers['content-encoding'], body: Buffer.concat(chunks) }),
            );
          },
        )
          .on('error', reject)
          .end();
      });
    };
    expect(gunzipSync((await raw('gzip', '1')).body).toString()).toBe('x\n');
    expect(zstdDecompressSync((await raw('gzip, zstd', '1')).body).toString()).toBe('x\n');
    expect(await raw('gzip', '0')).toEqual({ encoding: undefined, body: Buffer.from('x\n') });
  });

  test('takes values of a form, and no external tables', async () => {
    const form = new FormData();
    form.set('query', 'SELECT {a:Array(UInt8)}, {b:Nullable(String)}');
    form.set('param_a', '[1,2]');
    form.set('param_b', '\\N');
    const answer = await fetch(server.url, { method: 'POST', body: form, headers: key });
    expect(await answer.text()).toBe('[1,2]\t\\N\n');
    form.set('keys', new Blob(['1\n']), 'keys');
    expect((await fetch(server.url, { method: 'POST', body: form, headers: key })).status).toBe(501);
  });
});
