import { AppError } from 'streams/contract';
import type { Store } from 'streams/store';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addSamples, addSeries, insertRows, openEngine, seriesId } from '../testing/engine-fixture.ts';
import { gateLimits } from './query-gate.ts';
import { openReadServer, type ReadServer } from './testing/read-server.ts';

const t0 = Date.UTC(2026, 10, 2);
const iso = (ms: number): string => new Date(ms).toISOString();
const range = { start: iso(t0), end: iso(t0 + 60_000) };
const lines = { accept: 'application/x-ndjson' };
let store: Store;
let server: ReadServer;
let closeEngine: () => Promise<void>;
beforeAll(async () => {
  ({ store, close: closeEngine } = await openEngine());
  server = await openReadServer(store, t0 + 60_000, [1, 2]);
});
afterAll(async () => {
  await server.close();
  await closeEngine();
});

interface List {
  items: Record<string, unknown>[];
  nextCursor: string | null;
  code: string;
  field: string;
}
const list = async (path: string, query: Record<string, string | readonly string[]> = {}) => {
  const answer = await server.get<List>(1, path, { ...range, ...query });
  expect(answer.status, answer.text).toBe(200);
  return answer.body;
};

describe('log records', () => {
  const record = (
    ms: number,
    body: string,
    hash: number,
    more: { severity?: [string, number]; service?: string; trace?: string; attributes?: string } = {},
  ) => {
    const [text, number] = more.severity ?? ['INFO', 9];
    const trace = more.trace === undefined ? "toFixedString('', 16)" : `unhex('${more.trace}')`;
    return `(1, fromUnixTimestamp64Milli(${t0 + ms}), '${body}', ${hash}, '${text}', ${number}, '${more.service ?? 'web'}', ${trace}, map(${more.attributes ?? ''}), map('host','h1'), 4000)`;
  };
  const columns = [
    'tenant',
    'Timestamp',
    'Body',
    'hash',
    'SeverityText',
    'SeverityNumber',
    'ServiceName',
    'TraceId',
    'LogAttributes',
    'ResourceAttributes',
    'retention_days',
  ];
  const trace = '0102030405060708090a0b0c0d0e0f10';
  beforeAll(async () => {
    const rows = [
      record(1_500, 'Payment FAILED for isp', 1, {
        severity: ['ERROR', 17],
        service: 'billing',
        attributes: "'code','500'",
      }),
      record(2_000, 'login failed again', 2, { severity: ['warning', 0], trace }),
      record(2_000, 'all fine', 3),
      record(2_000, 'unfailed über', 4, { severity: ['FATAL', 21] }),
    ];
    await insertRows(store, 'log_records', columns, rows);
    await insertRows(store, 'log_records', columns, rows.slice(0, 2));
  });
  const bodies = async (query: Record<string, string | readonly string[]>) =>
    (await list('logs', query)).items.map((item) => item['body']);

  test('are found by text, words, severity, service, trace and attributes, newest first, each once', async () => {
    expect(await bodies({ query: 'failed' })).toEqual([
      'unfailed über',
      'login failed again',
      'Payment FAILED for isp',
    ]);
    expect(await bodies({ query: 'FAILED', match: 'words' })).toEqual(['login failed again', 'Payment FAILED for isp']);
    expect(await bodies({ query: 'failed for' })).toEqual(['Payment FAILED for isp']);
    expect(await bodies({ query: 'n failed a' })).toEqual(['login failed again']);
    expect(await bodies({ query: 'isp payment', match: 'words' })).toEqual(['Payment FAILED for isp']);
    expect(await bodies({ query: 'ÜBER', match: 'words' })).toEqual(['unfailed über']);
    expect(await bodies({ severity: 'warn' })).toEqual([
      'unfailed über',
      'login failed again',
      'Payment FAILED for isp',
    ]);
    expect(await bodies({ severity: '18' })).toEqual(['unfailed über']);
    expect(await bodies({ service: 'billing' })).toEqual(['Payment FAILED for isp']);
    expect(await bodies({ traceId: trace.toUpperCase() })).toEqual(['login failed again']);
    expect(await bodies({ filter: ['code=~5..', 'resource.host=h1'] })).toEqual(['Payment FAILED for isp']);
    expect(await bodies({ query: "%' OR 1=1 --" })).toEqual([]);
  });

  test('pages are stable under equal times, and lines are the same records', async () => {
    const seen: unknown[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: List = await list('logs', { limit: '1', ...(cursor === '' ? {} : { cursor }) });
      seen.push(...page.items);
      cursor = page.nextCursor;
    }
    expect(seen).toHaveLength(4);
    expect(seen).toEqual((await list('logs')).items);
    const asLines = await server.get<unknown[]>(1, 'logs', range, lines);
    expect([asLines.headers['content-type'], asLines.body]).toEqual(['application/x-ndjson; charset=utf-8', seen]);
    expect(seen[1]).toEqual({
      time: '2026-11-02T00:00:02.000000000Z',
      severityText: 'INFO',
      severityNumber: 9,
      service: 'web',
      body: 'all fine',
      traceId: '',
      spanId: '',
      attributes: {},
      resource: { host: 'h1' },
      observedTime: null,
      eventName: '',
      ...{ flags: 0, droppedAttributes: 0, resourceSchemaUrl: '' },
      scope: { name: '', version: '', attributes: {}, schemaUrl: '' },
    });
    expect((await server.get<List>(2, 'logs', range)).body.items).toEqual([]);
    expect((await list('services')).items).toEqual([
      { service: 'billing', spans: 0, logRecords: expect.any(Number) },
      { service: 'web', spans: 0, logRecords: expect.any(Number) },
    ]);
  });

  test.each([
    ['severity', 'loud', 'telemetry.severity_invalid'],
    ['traceId', 'xyz', 'telemetry.trace_id_invalid'],
    ['cursor', 'bm9uZQ', 'telemetry.cursor_invalid'],
    ['filter', 'code', 'telemetry.filter_invalid'],
  ])('%s=%s is refused, also when lines are asked for', async (field, value, code) => {
    for (const headers of [{}, lines]) {
      const answer = await server.get<List>(1, 'logs', { ...range, [field]: value }, headers);
      expect([answer.status, answer.body.code, answer.body.field]).toEqual([400, code, field]);
    }
  });
});

describe('traces', () => {
  const [first, second] = ['0102030405060708090a0b0c0d0e0f11', 'a102030405060708090a0b0c0d0e0f12'];
  const span = (
    trace: string,
    id: string,
    parent: string,
    ms: number,
    name: string,
    durationMs: number,
    more: { service?: string; status?: string; attributes?: string } = {},
  ) =>
    `(1, fromUnixTimestamp64Milli(${t0 + ms}), unhex('${trace}'), unhex('${id}'), ${parent === '' ? "toFixedString('', 8)" : `unhex('${parent}')`}, '${name}', ${durationMs * 1e6}, '${more.service ?? 'web'}', '${more.status ?? 'Unset'}', map(${more.attributes ?? ''}), ['retry'], [toDateTime64(${t0 / 1000}, 9, 'UTC')], [map('n','1')], ['${second}'], ['0a0b0c0d0e0f0102'], [map('kind','follows')], 4000)`;
  const columns = [
    'tenant',
    'Timestamp',
    'TraceId',
    'SpanId',
    'ParentSpanId',
    'SpanName',
    'Duration',
    'ServiceName',
    'StatusCode',
    'SpanAttributes',
    '`Events.Name`',
    '`Events.Timestamp`',
    '`Events.Attributes`',
    '`Links.TraceId`',
    '`Links.SpanId`',
    '`Links.Attributes`',
    'retention_days',
  ];
  const [root, child, leaf] = ['0102030405060708', 'f102030405060708', '0002030405060708'];
  beforeAll(async () => {
    const rows = [
      span(first, leaf, child, 20, 'SELECT', 5, { service: 'db', attributes: "'db.name','isp'" }),
      span(first, root, '', 0, 'GET /login', 100),
      span(first, child, root, 10, 'auth', 50, { service: 'auth', status: 'Error' }),
      span(second, root, '', 30_000, 'GET /pay', 900, { attributes: "'http.route','/pay'" }),
    ];
    await insertRows(store, 'spans', columns, rows);
    await insertRows(store, 'spans', columns, rows.slice(0, 2));
  });
  const found = async (query: Record<string, string | readonly string[]>) =>
    (await list('traces', query)).items.map((item) => item['traceId']);

  test('one trace is whole: parents before children, events and links, each span once', async () => {
    type Whole = { truncated: boolean; spans: Record<string, unknown>[] };
    const whole = await server.get<Whole>(1, `traces/${first.toUpperCase()}`);
    expect(whole.body.spans.map((one) => one['spanId'])).toEqual([root, child, leaf]);
    expect(whole.body.truncated).toBe(false);
    expect(whole.body.spans[2]).toMatchObject({
      tenant: 'isp-1',
      parentSpanId: child,
      durationNanos: '5000000',
      start: '2026-11-02T00:00:00.020000000Z',
      events: [{ name: 'retry', timeUnixNano: `${t0}000000`, attributes: { n: '1' }, droppedAttributes: 0 }],
      links: [
        {
          traceId: second,
          spanId: '0a0b0c0d0e0f0102',
          attributes: { kind: 'follows' },
          ...{ traceState: '', flags: 0, droppedAttributes: 0 },
        },
      ],
    });
    expect((await server.get(2, `traces/${first}`)).status).toBe(404);
    expect((await server.get(1, `traces/${'0'.repeat(32)}`)).status).toBe(404);
    expect((await server.get<List>(1, 'traces/xyz')).body.code).toBe('telemetry.trace_id_invalid');
    expect((await server.get('operator', `traces/${first}`)).status).toBe(200);
  });

  test('are found by service, operation, status, duration, attribute and text, with a summary, page by page', async () => {
    expect((await list('traces')).items).toMatchObject([
      { traceId: second, rootName: 'GET /pay', spans: 1, errors: 0, matched: 1, durationNanos: '900000000' },
      {
        traceId: first,
        rootName: 'GET /login',
        rootService: 'web',
        start: '2026-11-02T00:00:00.000000000Z',
        durationNanos: '100000000',
        ...{ spans: 3, errors: 1, matched: 3 },
        services: ['auth', 'db', 'web'],
      },
    ]);
    expect(await found({ service: 'db' })).toEqual([first]);
    expect(await found({ operation: 'GET /pay' })).toEqual([second]);
    expect(await found({ status: 'error' })).toEqual([first]);
    expect(await found({ minDuration: '200ms' })).toEqual([second]);
    expect(await found({ minDuration: '20ms', maxDuration: '60ms' })).toEqual([first]);
    expect(await found({ attribute: ['db.name=isp'] })).toEqual([first]);
    expect(await found({ attribute: ['db.name=isp'], service: 'web' })).toEqual([]);
    expect(await found({ query: 'get /' })).toEqual([second, first]);
    const page = await list('traces', { limit: '1' });
    expect(page.items).toMatchObject([{ traceId: second }]);
    const next = await list('traces', { limit: '1', cursor: page.nextCursor ?? '' });
    expect(next).toMatchObject({ items: [{ traceId: first }], nextCursor: null });
    const asLines = await server.get<unknown[]>(1, 'traces', range, lines);
    expect(asLines.body).toEqual([...page.items, ...next.items]);
    expect((await server.get<List>(2, 'traces', range)).body.items).toEqual([]);
  });
});

test('what senders left out, flags, schema URLs, scopes and observed times are shown', async () => {
  const trace = '0102030405060708090a0b0c0d0e0fff';
  const at = `fromUnixTimestamp64Milli(${t0 + 90_000})`;
  const scope = { name: 'lib', version: '2', attributes: { s: '3' }, schemaUrl: 's-url' };
  const scopeColumns = ['ScopeName', 'ScopeVersion', 'ScopeAttributes', 'ScopeSchemaUrl', 'ResourceSchemaUrl'];
  const scopeValues = "'lib', '2', map('s','3'), 's-url', 'r-url'";
  await insertRows(
    store,
    'spans',
    [
      ...['tenant', 'Timestamp', 'TraceId', 'SpanId', 'Flags', 'TraceState', 'DroppedAttributes', 'DroppedEvents'],
      ...['DroppedLinks', '`Events.Name`', '`Events.Timestamp`', '`Events.Attributes`', '`Events.DroppedAttributes`'],
      ...['`Links.TraceId`', '`Links.SpanId`', '`Links.TraceState`', '`Links.Attributes`', '`Links.DroppedAttributes`'],
      ...['`Links.Flags`', 'retention_days', ...scopeColumns],
    ],
    [
      `(2, ${at}, unhex('${trace}'), unhex('0102030405060708'), 769, 'a=b', 1, 2, 4294967295, ['e'], [toDateTime64(1, 9, 'UTC')], [map('n','1')], [5], ['${trace}'], ['0a0b0c0d0e0f0102'], ['c=d'], [map('k','v')], [6], [7], 4000, ${scopeValues})`,
    ],
  );
  await insertRows(
    store,
    'log_records',
    [
      ...['tenant', 'Timestamp', 'hash', 'TraceFlags', 'EventName', 'DroppedAttributes', 'ObservedTimestamp'],
      ...['retention_days', ...scopeColumns],
    ],
    [`(2, ${at}, 1, 1, 'login', 8, fromUnixTimestamp64Nano(${t0}000009), 4000, ${scopeValues})`],
  );
  const whole = await server.get<{ spans: unknown[] }>(2, `traces/${trace}`);
  expect(whole.body.spans).toMatchObject([
    {
      ...{ flags: 769, traceState: 'a=b', droppedAttributes: 1, droppedEvents: 2, droppedLinks: 4_294_967_295 },
      ...{ scope, resourceSchemaUrl: 'r-url' },
      events: [{ name: 'e', attributes: { n: '1' }, droppedAttributes: 5 }],
      links: [{ traceId: trace, traceState: 'c=d', flags: 7, droppedAttributes: 6, attributes: { k: 'v' } }],
    },
  ]);
  const later = { start: iso(t0 + 60_000), end: iso(t0 + 120_000) };
  expect((await server.get<List>(2, 'logs', later)).body.items).toMatchObject([
    {
      ...{ flags: 1, eventName: 'login', droppedAttributes: 8, scope, resourceSchemaUrl: 'r-url' },
      observedTime: '2026-11-02T00:00:00.000000009Z',
    },
  ]);
});

test('records that could not be stored are the tenant’s own, all for the operator', async () => {
  await insertRows(
    store,
    'dead_letters',
    ['tenant', 'at', 'topic', 'partition', 'offset', 'code', 'detail', 'envelope', 'payload'],
    [`(1, '2026-11-02 00:00:01.123', 'telemetry', 1, 5, 'otlp.malformed', 'd', '{}', 'abc')`],
  );
  const all = await server.get<List>('operator', 'dead-letters');
  expect(all.body.items).toMatchObject([
    { tenant: 'isp-1', code: 'otlp.malformed', offset: '5', at: '2026-11-02T00:00:01.123Z', payloadBytes: 3 },
  ]);
  expect((await server.get<List>(2, 'dead-letters')).body.items).toEqual([]);
});

describe('answers in lines', () => {
  const series = seriesId(1, 1);
  const points = { metric: 'p', start: iso(t0), end: iso(t0 + 60_000_000) };
  beforeAll(async () => {
    await addSeries(store, { tenant: 1, metric: 'p', series, kind: 'gauge' });
    await addSamples(store, 1, series, [[t0, 0.5]]);
    await store.execute(
      `INSERT INTO samples (tenant, series, time, value, retention_days) SELECT 1, ${series}, fromUnixTimestamp64Milli(${t0} + 50 * number), number, 4000 FROM numbers(1, 299999)`,
    );
  });

  test('more points than one JSON answer holds come as lines, whole and in order', async () => {
    const refused = await server.get<List>(1, 'metrics/points', points);
    expect([refused.status, refused.body.code, refused.body.field]).toEqual([
      422,
      'telemetry.too_many_points',
      'start',
    ]);
    const answer = await server.get<{ points: [number, number][] }[]>(1, 'metrics/points', points, lines);
    const times = answer.body.flatMap((line) => line.points.map(([ms]) => ms));
    expect(times).toHaveLength(300_000);
    expect(times.every((ms, i) => ms === t0 + 50 * i)).toBe(true);
  });

  test('the engine stops where an answer can only be too large', async () => {
    const many = seriesId(2, 1);
    await addSeries(store, { tenant: 1, metric: 'many', series: many, kind: 'gauge' });
    await store.execute(
      `INSERT INTO samples (tenant, series, time, value, retention_days) SELECT 1, ${many}, fromUnixTimestamp64Milli(${t0} + number), number, 4000 FROM numbers(1000000)`,
    );
    const errors: unknown[] = [];
    const watched: Store = {
      ...store,
      query: (query, params, options) =>
        store.query(query, params, options).catch((error) => {
          errors.push(error.context.engineCode);
          throw error;
        }),
    };
    const other = await openReadServer(watched, t0, [1]);
    const refused = await other.get<List>(1, 'metrics/points', { ...points, metric: 'many' });
    await other.close();
    expect([refused.status, refused.body.code]).toEqual([422, 'telemetry.too_many_points']);
    expect(errors).toEqual(['396']);
  });

  test('a client that goes away gives its place back', async () => {
    const base = await server.listen();
    const url = `${base}/api/v1/telemetry/metrics/points?${new URLSearchParams(points)}`;
    // One stream a tenant at a time: were a place lost, the second request would wait and be refused.
    for (let i = 0; i < 3; i++) {
      const stop = new AbortController();
      const answer = await fetch(url, { headers: { authorization: 'Bearer isp-1', ...lines }, signal: stop.signal });
      expect(answer.status).toBe(200);
      await answer.body?.getReader().read();
      stop.abort();
    }
    expect(gateLimits.streamsPerTenant).toBe(1);
    const whole = await fetch(url, { headers: { authorization: 'Bearer isp-1', ...lines } });
    expect((await whole.text()).trimEnd().split('\n')).toHaveLength(5);
  });

  test('an error after the first line is the last line', async () => {
    const failing: Store = {
      ...store,
      async *stream(query, params, options) {
        let sent = 0;
        for await (const row of store.stream(query, params, options)) {
          if (sent++ === 2) throw new AppError('store.timeout', 'x', { context: { engineCode: '159' } });
          yield row;
        }
      },
    };
    const other = await openReadServer(failing, t0, [1]);
    const { status, body } = await other.get<Record<string, unknown>[]>(1, 'metrics/points', points, lines);
    await other.close();
    expect([status, body.length]).toEqual([200, 3]);
    expect(body[2]).toMatchObject({ error: { code: 'telemetry.query_too_expensive', status: 422, field: 'start' } });
  });
});
