import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tenantTables } from '../../streams/store/clickhouse-http/reader-catalogue.ts';
import {
  operatorToken,
  startTestingServer,
  type TestingServer,
} from '../../streams/store/clickhouse-http/testing/server.ts';
import { harmless, refusedForAll, refusedForTenants, scoped } from './sql-attacks.ts';

/** The other tenant's engine number, and what its rows say of it. */
const foreignNumber = 777_001;
const markers = [
  'FOREIGN',
  'foreign-isp',
  String(foreignNumber),
  Buffer.from('FOREIGN').toString('hex').toUpperCase(),
  Buffer.from('FOREIGN').toString('base64'),
  'NGIEROF',
  'root:x:0',
];

/** Rows of both tenants in every table that a tenant may read, and in some that it may not. */
const rows = (tenant: number, text: string, id: string) => [
  `INSERT INTO log_records (tenant, Timestamp, Body, ServiceName, hash, retention_days) SELECT ${tenant}, now64(9), '${text}', '${text}', number + ${tenant}, 400 FROM numbers(3)`,
  `INSERT INTO series (tenant, metric, series, attributes) SELECT ${tenant}, if(${tenant} = 1, 'm', '${text}'), ${tenant}, map('component', '${text}')`,
  `INSERT INTO samples (tenant, series, time, value, retention_days) SELECT ${tenant}, ${tenant}, now64(3), ${tenant}, 400`,
  ...['histograms', 'exponential_histograms', 'summaries', 'exemplars'].map(
    (table) => `INSERT INTO ${table} (tenant, series, time, retention_days) SELECT ${tenant}, ${tenant}, now64(3), 400`,
  ),
  `INSERT INTO usage_events (tenant, type, source, id, time, value, received) SELECT ${tenant}, '${text}', '${text}', '${text}', now64(3), ${tenant}, now64(3)`,
  `INSERT INTO usage_conflicts (tenant, source, id, received, payload) SELECT ${tenant}, '${text}', '${text}', now64(3), '${text}'`,
  ...['series_hour', 'series_minute'].map(
    (table) => `INSERT INTO ${table} (tenant, series, bucket, sum) SELECT ${tenant}, ${tenant}, now(), ${tenant}`,
  ),
  `INSERT INTO usage_hour (tenant, metric, bucket, increase) SELECT ${tenant}, '${text}', now(), ${tenant}`,
  `INSERT INTO billing_facts (tenant, meter, subject, bucket, value) SELECT ${tenant}, '${text}', '${text}', now(), ${tenant}`,
  `INSERT INTO sla_hour (tenant, bucket) SELECT ${tenant}, now()`,
  `INSERT INTO tenants (tenant, id, name) SELECT ${tenant}, '${id}', '${text}'`,
  `INSERT INTO touched (token, signal, tenant) SELECT '${text}', 'metrics', ${tenant}`,
  `INSERT INTO dead_letters (tenant, detail) SELECT ${tenant}, '${text}'`,
];

/** Rows of both in the same part and the same blocks, where an expression that runs on a block's dictionary or before the filter would meet the other's values. */
const mixedRows = `INSERT INTO spans (tenant, Timestamp, ServiceName, SpanName, TraceId, SpanId, SpanAttributes, retention_days)
SELECT if(number % 2 = 0, 1, ${foreignNumber}), now64(9), if(number % 2 = 0, '5', concat('FOREIGN', toString(number % 50))), if(number % 2 = 0, '7', 'FOREIGN'), toFixedString('', 16),
 toFixedString(toString(number), 8), map(if(number % 2 = 0, 'k', 'FOREIGN'), 'v'), 400 FROM numbers(40000)`;

let dir: string;
let server: TestingServer;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pulse-attacks-'));
  server = await startTestingServer({
    dir,
    mode: 'read-only',
    tenants: { own: 1, other: foreignNumber },
    prepare: [...rows(1, 'mine', 'own-isp'), ...rows(foreignNumber, 'FOREIGN', 'foreign-isp'), mixedRows],
    limits: { runningPerTenant: 100, running: 4, seconds: 3 },
  });
});
afterAll(async () => {
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

interface Answer {
  readonly sql: string;
  readonly status: number;
  readonly code: number;
  readonly text: string;
}

async function ask(
  sql: string,
  password = 'key-own',
  search = '',
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(
    `${server.url}/?${search.includes('default_format') ? '' : 'default_format=TabSeparated'}${search}`,
    {
      method: 'POST',
      body: sql,
      headers: { 'x-clickhouse-key': password, ...headers },
    },
  );
  const text = await response.text();
  const own = [...response.headers].map((pair) => pair.join(': ')).join('\n');
  return {
    sql: sql.slice(0, 120),
    status: response.status,
    code: Number(response.headers.get('x-clickhouse-exception-code') ?? 0),
    text: `${own}\n\n${text}`,
  };
}
const bodyOf = ({ text }: Answer) => text.slice(text.indexOf('\n\n') + 2);

/** Asks all, some at a time. */
async function askAll(statements: readonly string[], password?: string): Promise<Answer[]> {
  const answers: Answer[] = [];
  const left = [...statements.entries()];
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift())
      answers[next[0]] = await ask(next[1], password);
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  return answers;
}
const leaks = (answers: readonly Answer[]) =>
  answers.filter(({ text, sql }) =>
    markers.some((marker) => text.includes(marker) && !(sql.includes(marker) && text.includes('Exception'))),
  );
/** Refused before anything ran: no time limit, no memory limit, no engine that is gone. */
const passed = (answers: readonly Answer[]) =>
  answers.filter(({ status, code }) => status < 400 || [159, 241, 210, 1002].includes(code));

test('the corpus has at least 200 attacks, each once', () => {
  const all = [...refusedForAll, ...refusedForTenants, ...scoped];
  expect(refusedForAll.length).toBeGreaterThan(200);
  expect(new Set(all).size).toBe(all.length);
});

test("every attack is refused to a tenant's key", async () => {
  const answers = await askAll([...refusedForAll, ...refusedForTenants]);
  expect(passed(answers)).toEqual([]);
  expect(leaks(answers)).toEqual([]);
});

test('and, but for its own tables, to the operator', async () => {
  expect(passed(await askAll(refusedForAll, operatorToken))).toEqual([]);
});

test("what is answered has the tenant's own rows only, whichever way it asks", async () => {
  const answers = await askAll(scoped);
  expect(leaks(answers)).toEqual([]);
  // Most of them are answered, otherwise this would show nothing; and the other tenant sees its own.
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(scoped.length * 0.85);
  expect(bodyOf(await ask('SELECT count(), any(Body) FROM log_records', 'key-other'))).toBe('3\tFOREIGN\n');
});

test('each table that a tenant may read gives its own rows, and the operator everybody’s', async () => {
  for (const table of tenantTables) {
    const own = await ask(`SELECT groupUniqArray(tenant) FROM ${table}`);
    const all = await ask(`SELECT arraySort(groupUniqArray(tenant)) FROM ${table}`, operatorToken);
    expect([table, bodyOf(own), bodyOf(all)]).toEqual([table, '[1]\n', `[1,${foreignNumber}]\n`]);
  }
});

test('settings, names and values in the URL are no way in', async () => {
  const tries = [
    '&additional_table_filters={}',
    '&readonly=0&additional_table_filters=%7B%7D',
    '&database=system',
    '&database=pulse_catalogue',
    '&session_id=x',
    '&format_schema=x',
    '&custom_setting=1',
    '&max_threads=x',
    '&default_format=Template',
    '&allow_ddl=1',
    '&query_plan_merge_filters=1',
    '&input_format_x=1',
    '&output_format_json_x%27=1',
    '&compress=1',
  ];
  const answers = await Promise.all(tries.map((search) => ask('SELECT * FROM log_records', 'key-own', search)));
  expect(passed(answers).map(({ text }) => text)).toEqual([]);
  const lowered = await ask(
    'SELECT count() FROM log_records',
    'key-own',
    '&readonly=0&max_execution_time=0&output_format_write_statistics=1',
  );
  expect(bodyOf(lowered)).toBe('3\n');
  const value = encodeURIComponent("777001' OR 1=1 --");
  expect(
    bodyOf(
      await ask('SELECT {a:String}, count() FROM log_records WHERE Body = {a:String}', 'key-own', `&param_a=${value}`),
    ),
  ).toBe("777001\\' OR 1=1 --\t0\n");
  expect(
    (await ask('SELECT {a:UInt8}', 'key-own', '&param_a=1)%20UNION%20ALL%20SELECT%20(2')).status,
  ).toBeGreaterThanOrEqual(400);
});

test('nobody gets in without a key of today', async () => {
  const codes = await Promise.all([ask('SELECT 1', ''), ask('SELECT 1', 'key-nobody'), ask('SELECT 1', 'op_testin')]);
  expect(codes.map(({ status, code }) => [status, code])).toEqual([
    [401, 194],
    [403, 516],
    [403, 516],
  ]);
});

test('a statement that would take for ever ends at its limits, and the others are answered meanwhile', async () => {
  const heavy = [
    'WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r',
    'SELECT count() FROM (SELECT arrayJoin(range(10000000)) AS a) AS x CROSS JOIN (SELECT arrayJoin(range(1000000)) AS b) AS y',
    'SELECT sum(cityHash64(arrayJoin(range(10000000)), toString(arrayJoin(range(1000)))))',
    'SELECT arrayJoin(range(100000000))',
    "SELECT repeat('x', 1000000000)",
    'SELECT groupArray(arrayJoin(range(100000000)))',
  ];
  const answers = await askAll(heavy);
  expect(answers.filter(({ status }) => status < 400)).toEqual([]);
  expect(bodyOf(await ask('SELECT count() FROM log_records'))).toBe('3\n');
});

test('nothing was written, and what people and clients ask for works', async () => {
  expect(existsSync('/tmp/pulse-attack.tsv') || existsSync('/tmp/pulse-attack.zip')).toBe(false);
  expect(readdirSync(join(dir, 'blocks'))).toEqual([]);
  for (const [sql, answer] of harmless) {
    const got = await ask(sql);
    expect([sql, got.status, answer === null ? null : bodyOf(got).replace(/\n$/, '')]).toEqual([sql, 200, answer]);
  }
  expect(bodyOf(await ask('SELECT count() FROM log_records', operatorToken))).toBe('6\n');
});
