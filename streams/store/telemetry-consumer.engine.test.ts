import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type LedgerRow, readLedger } from './ledger.ts';
import type { Store } from './port.ts';
import { openStoreFixture, rowsOf, type StoreFixture } from './store-fixture.ts';
import {
  BatchFeed,
  histogramMetric,
  logRequest,
  numberMetric,
  openPipeline,
  receivedAt,
  spanRequest,
} from './telemetry-fixture.ts';

const hour = 3_600_000;
const at = Math.floor(receivedAt / hour) * hour;

let fixture: StoreFixture;
let feed: BatchFeed;
let pipeline: ReturnType<typeof openPipeline>;
const open = (store: Store, decoder = {}) => openPipeline({ dir: fixture.dir, store, feed, decoder });
beforeEach(async () => {
  fixture = await openStoreFixture();
  feed = new BatchFeed();
  pipeline = open(fixture.store);
});
afterEach(async () => {
  await pipeline.close();
  await fixture.close();
});

/** A restart: the store reopened and every process-local memory gone. */
async function restart(decoder = {}) {
  await pipeline.close();
  pipeline = open(await fixture.reopen(), decoder);
}
const one = async (sql: string) => (await rowsOf(fixture.store, sql))[0];
/** Of the days of the tests: each ten of them are a statement over every table. */
const ledger = (days = 9) =>
  readLedger(fixture.store, { fromHour: at / 1000 - days * 86_400, toHour: at / 1000 + 3600 });
const total = (rows: readonly LedgerRow[], signal: string) =>
  rows
    .filter((row) => row.signal === signal)
    .reduce(
      (sum, row) => ({
        accepted: sum.accepted + row.accepted,
        logged: sum.logged + row.logged,
        duplicates: sum.duplicates + row.duplicates,
        stored: sum.stored + row.stored,
      }),
      { accepted: 0, logged: 0, duplicates: 0, stored: 0 },
    );
const balanced = (rows: readonly LedgerRow[]) =>
  rows.every((row) => row.accepted === row.logged && row.logged - row.duplicates === row.stored);

/** A request of every kind. */
function everything() {
  feed.otlp(
    'metrics',
    numberMetric(
      'dotmac.logins',
      [
        [at, 1],
        [at + 60_000, 3],
        [at + 120_000, 2],
      ],
      { counter: true },
    ),
  );
  feed.otlp('metrics', histogramMetric('http.server.request.duration', [at, at + 1000]));
  feed.otlp('traces', spanRequest(['b7ad6b7169203331', 'b7ad6b7169203332'], at + 1000));
  feed.otlp('logs', logRequest(['hello', 'hello', 'other'], at + 2000));
  feed.events([{ id: '1', value: '2.5' }, { id: '2' }]);
}

describe('limits in the envelope', () => {
  test('retention and lateness stand in the rows as the door stamped them', async () => {
    const day = 86_400_000;
    const late = { lateAfterSeconds: 32 * 86_400, retentionDays: 120 };
    feed.otlp(
      'metrics',
      numberMetric('dotmac.logins', [
        [at - 40 * day, 1],
        [at, 2],
      ]),
      1,
      late,
    );
    feed.otlp('metrics', numberMetric('dotmac.logins', [[at - 41 * day, 3]]), 2);
    feed.otlp('metrics', histogramMetric('h', [at - 40 * day, at]), 1, late);
    feed.otlp('traces', spanRequest(['b7ad6b7169203331'], at), 1, { retentionDays: 7 });
    feed.otlp('logs', logRequest(['hello'], at), 1, { retentionDays: 30 });
    feed.events([{ id: 'e' }], 1, at, { retentionDays: 150 });
    feed.events([{ id: 'e', value: '2' }], 1, at, { retentionDays: 160 });
    await pipeline.drain();
    const samples = 'SELECT tenant, value, flags, retention_days AS days FROM samples ORDER BY value';
    expect(await rowsOf(fixture.store, samples)).toEqual([
      { tenant: 1, value: 1, flags: 4, days: 120 },
      { tenant: 1, value: 2, flags: 0, days: 120 },
      { tenant: 2, value: 3, flags: 0, days: 400 },
    ]);
    const histograms = 'SELECT flags, retention_days AS days FROM histograms ORDER BY time';
    expect(await rowsOf(fixture.store, histograms)).toEqual([
      { flags: 4, days: 120 },
      { flags: 0, days: 120 },
    ]);
    expect(await one('SELECT retention_days AS days FROM spans')).toEqual({ days: 7 });
    expect(await one('SELECT retention_days AS days FROM log_records')).toEqual({ days: 30 });
    expect(await one('SELECT retention_days AS days FROM usage_events')).toEqual({ days: 150 });
    expect(await one('SELECT retention_days AS days FROM usage_conflicts')).toEqual({ days: 160 });
  });

  test('a late copy, equal or not, never takes the place of a point that came on time; what came on time replaces', async () => {
    const [minute, late, none] = [60, { lateAfterSeconds: 60 }, { lateAfterSeconds: 86_400 }];
    const send = (ms: number, value: number, limits: object) =>
      feed.otlp('metrics', numberMetric('dotmac.customers.active', [[ms, value]]), 1, limits);
    const [first, second] = [at, at + minute * 1000];
    send(first, 5, none);
    send(second, 1, late);
    await pipeline.drain();
    send(first, 5, late);
    send(second, 2, none);
    await pipeline.drain();
    send(first, 7, late);
    send(first, 6, none);
    send(second, 3, late);
    await pipeline.drain();
    const standing = 'SELECT value, flags FROM samples FINAL ORDER BY time';
    const expected = [
      { value: 6, flags: 0 },
      { value: 2, flags: 0 },
    ];
    expect(await rowsOf(fixture.store, standing)).toEqual(expected);
    await restart();
    await fixture.store.execute('OPTIMIZE TABLE samples FINAL');
    expect(await rowsOf(fixture.store, 'SELECT value, flags FROM samples ORDER BY time')).toEqual(expected);
    expect(total(await ledger(), 'metrics')).toEqual({ accepted: 7, logged: 7, duplicates: 5, stored: 2 });
    expect(await one('SELECT sum(late) AS late FROM series_hour FINAL')).toEqual({ late: '0' });
  });
});

describe('disorder', () => {
  test('inside a batch is counted without asking the tables, across batches by asking', async () => {
    const asked: string[] = [];
    await pipeline.close();
    pipeline = open({
      ...fixture.store,
      query: (query, params, options) => {
        asked.push(query.name);
        return fixture.store.query(query, params, options);
      },
    });
    const points = (...minutes: number[]) =>
      numberMetric(
        'dotmac.logins',
        minutes.map((minute) => [at + minute * 60_000, minute]),
      );
    feed
      .otlp('metrics', points(10, 11))
      .otlp('metrics', points(0, 1))
      .otlp('metrics', points(5, 11, 1, 5));
    await pipeline.drain();
    expect(asked.filter((name) => name === 'stored-points')).toEqual([]);
    expect(total(await ledger(), 'metrics')).toEqual({ accepted: 8, logged: 8, duplicates: 3, stored: 5 });
    feed.otlp('metrics', points(20)).otlp('metrics', points(3, 5, 15));
    await pipeline.drain();
    expect(asked.filter((name) => name === 'stored-points')).toHaveLength(1);
    expect(total(await ledger(), 'metrics')).toEqual({ accepted: 12, logged: 12, duplicates: 4, stored: 8 });
  });
});

describe('resends', () => {
  test('the same requests five times, also after reopening, are stored, rolled up and counted once', async () => {
    everything();
    await pipeline.drain();
    for (let resend = 0; resend < 2; resend++) {
      everything();
      await pipeline.drain();
    }
    await restart();
    for (let resend = 0; resend < 2; resend++) {
      everything();
      await pipeline.drain();
    }
    const rows = await ledger();
    expect(total(rows, 'metrics')).toEqual({ accepted: 25, logged: 25, duplicates: 20, stored: 5 });
    expect(total(rows, 'traces')).toEqual({ accepted: 10, logged: 10, duplicates: 8, stored: 2 });
    expect(total(rows, 'logs')).toEqual({ accepted: 15, logged: 15, duplicates: 12, stored: 3 });
    expect(total(rows, 'events')).toEqual({ accepted: 10, logged: 10, duplicates: 8, stored: 2 });
    expect(balanced(rows)).toBe(true);
    const events = rows.find((row) => row.signal === 'events');
    expect(events).toMatchObject({ acceptedSum: '17.5', loggedSum: '17.5', duplicateSum: '14', storedSum: '3.5' });
    expect(rows.find((row) => row.signal === 'metrics')).toMatchObject({
      storedPoints: 3,
      rolledUp: 3,
      rollUpPending: false,
    });
    expect(await one('SELECT count, sum, first, last, increase, resets FROM series_hour FINAL')).toEqual({
      count: 3,
      sum: 6,
      first: 1,
      last: 2,
      increase: 4,
      resets: 1,
    });
    expect(await one('SELECT sum(increase) AS i, sum(count) AS c FROM usage_hour FINAL')).toEqual({ i: 4, c: '3' });
    expect(await one('SELECT count() AS n FROM usage_events')).toEqual({ n: '2' });
    expect(await pipeline.job.caughtUp()).toBe(true);
  });

  test('repeats inside one batch and out-of-order new points are told apart', async () => {
    feed.otlp(
      'metrics',
      numberMetric('m', [
        [at + 5000, 1],
        [at + 1000, 2],
        [at + 3000, 3],
        [at + 3000, 4],
        [at + 5000, 1],
      ]),
    );
    feed.otlp(
      'metrics',
      numberMetric('m', [
        [at + 2000, 1],
        [at + 3000, 9],
      ]),
    );
    await pipeline.drain();
    expect(total(await ledger(), 'metrics')).toEqual({ accepted: 7, logged: 7, duplicates: 3, stored: 4 });
  });
});

describe('crashes', () => {
  test('a token that the engine remembers without its rows holds nothing back', async () => {
    everything();
    const batch = feed.plan();
    // What a SIGKILL can leave: the token noted, the part without its name.
    for (const table of ['touched', 'samples', 'spans', 'log_records', 'usage_events']) {
      const columns = [{ name: 'tenant', type: 'UInt32', values: [999] }];
      await fixture.store.insert({ table, rows: 1, columns }, batch.token);
      await fixture.store.execute(`ALTER TABLE ${table} DELETE WHERE tenant = 999 SETTINGS mutations_sync = 1`);
    }
    await pipeline.consumer.handle({ ...batch, redelivered: true });
    feed.commit();
    await pipeline.job.runOnce();
    expect(balanced(await ledger())).toBe(true);
    expect(await one('SELECT count() AS n FROM samples FINAL')).not.toEqual({ n: '0' });
  });

  /** A store that fails at the n-th insert into a table, before or after the engine took it. */
  const failing = (table: string, when: 'before' | 'after'): Store => ({
    ...fixture.store,
    async insert(block, token) {
      if (block.table === table && when === 'before') throw new Error('killed');
      await fixture.store.insert(block, token);
      if (block.table === table && when === 'after') throw new Error('killed');
    },
  });

  for (const table of ['series', 'touched', 'samples', 'spans', 'usage_events']) {
    for (const when of ['before', 'after'] as const) {
      test(`killed ${when} the insert into ${table}, the redelivered batch stands once`, async () => {
        everything();
        everything();
        await pipeline.close();
        pipeline = open(failing(table, when));
        await expect(pipeline.consumer.handle(feed.plan())).rejects.toThrow('killed');
        await restart();
        await pipeline.consumer.handle(feed.plan(true));
        // Killed again between the last insert and the commit.
        await restart();
        await pipeline.consumer.handle(feed.plan(true));
        feed.commit();
        await pipeline.job.runOnce();
        const rows = await ledger();
        expect(balanced(rows)).toBe(true);
        expect(total(rows, 'metrics')).toEqual({ accepted: 10, logged: 10, duplicates: 5, stored: 5 });
        expect(total(rows, 'events')).toEqual({ accepted: 4, logged: 4, duplicates: 2, stored: 2 });
        expect(await one('SELECT count() AS n FROM usage_events FINAL')).toEqual({ n: '2' });
        expect(await one('SELECT increase FROM series_hour FINAL')).toEqual({ increase: 4 });
      });
    }
  }

  test('a failed insert tried again in the same process leaves no false duplicates', async () => {
    everything();
    await pipeline.close();
    let failures = 1;
    pipeline = open({
      ...fixture.store,
      async insert(block, token) {
        if (block.table === 'touched' && failures-- > 0) throw new Error('full');
        await fixture.store.insert(block, token);
      },
    });
    await expect(pipeline.consumer.handle(feed.plan())).rejects.toThrow('full');
    await pipeline.consumer.handle(feed.plan(true));
    expect(total(await ledger(), 'metrics')).toEqual({ accepted: 5, logged: 5, duplicates: 0, stored: 5 });
  });

  test('hours touched by a batch that is not committed wait with their roll-up', async () => {
    everything();
    await pipeline.consumer.handle(feed.plan());
    await pipeline.job.runOnce();
    expect(await one('SELECT count() AS n FROM rolled')).toEqual({ n: '0' });
    feed.commit();
    expect(await pipeline.job.caughtUp()).toBe(false);
    await pipeline.job.runOnce();
    expect(await one('SELECT rows FROM rolled FINAL')).toEqual({ rows: '3' });
    expect(await pipeline.job.caughtUp()).toBe(true);
  });
});

describe('series', () => {
  /** Identities keep 128 bits apart while every id is the same. */
  const colliding = (text: string) => {
    const hash = createHash('sha256').update(text).digest();
    hash.fill(7, 0, 8);
    return hash;
  };

  test('ids that collide get the next free one, in the batch, later and after a restart', async () => {
    await pipeline.close();
    pipeline = open(fixture.store, { hash: colliding });
    const send = (attribute: string, ms: number) => feed.otlp('metrics', numberMetric('m', [[ms, 1]], { attribute }));
    send('a', at);
    send('b', at);
    await pipeline.drain();
    send('c', at);
    await pipeline.drain();
    await restart({ hash: colliding });
    for (const attribute of ['c', 'a', 'd', 'b']) send(attribute, at + 1000);
    await pipeline.drain();
    const series = await rowsOf(fixture.store, "SELECT attributes['a'] AS a, series FROM series ORDER BY a");
    const base = BigInt(String(series[0]?.['series']));
    expect(series).toEqual(['a', 'b', 'c', 'd'].map((a, index) => ({ a, series: String(base + BigInt(index)) })));
    const points = await rowsOf(
      fixture.store,
      "SELECT attributes['a'] AS a, count() AS n FROM samples JOIN series USING (tenant, series) GROUP BY a ORDER BY a",
    );
    expect(points.map((row) => row['n'])).toEqual(['2', '2', '2', '1']);
  });
});

describe('poison', () => {
  test('unreadable envelopes and payloads are set aside with their bytes and hold up nothing', async () => {
    const bytes = Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x00, 0x80]);
    const good = feed.otlp('metrics', numberMetric('m', [[at, 1]])).plan().records[0]?.headers ?? {};
    feed.raw({ pulse: '{' }, bytes).raw(good, bytes);
    feed.raw({ pulse: JSON.stringify({ ...JSON.parse(good['pulse'] ?? ''), counts: 'x' }) }, bytes);
    feed.otlp('metrics', numberMetric('m', [[at + 1000, 2]]));
    await pipeline.drain();
    const letters = await rowsOf(
      fixture.store,
      'SELECT offset, code, hex(payload) AS bytes FROM dead_letters ORDER BY offset',
    );
    const hex = bytes.toString('hex').toUpperCase();
    expect(letters).toEqual([
      { offset: '1', code: 'log.envelope_invalid', bytes: hex },
      { offset: '2', code: 'otlp.malformed', bytes: hex },
      { offset: '3', code: 'store.envelope_invalid', bytes: hex },
    ]);
    // What was accepted and could not be logged stays visible.
    expect(total(await ledger(), 'metrics')).toEqual({ accepted: 3, logged: 2, duplicates: 0, stored: 2 });
  });
});

describe('usage events', () => {
  test('the first of an identity stands and another payload is a conflict', async () => {
    feed.events([
      { id: '1', value: '1' },
      { id: '1', value: '1.0' },
      { id: '1', value: '2' },
    ]);
    feed.events([{ id: '1', value: '1' }], 2);
    await pipeline.drain();
    expect(await rowsOf(fixture.store, 'SELECT tenant, value FROM usage_events ORDER BY tenant')).toEqual([
      { tenant: 1, value: '1' },
      { tenant: 2, value: '1' },
    ]);
    expect(
      await one("SELECT count() AS n, any(JSONExtractString(payload, 'value')) AS v FROM usage_conflicts"),
    ).toEqual({
      n: '1',
      v: '2',
    });
    expect(total(await ledger(), 'events')).toEqual({ accepted: 4, logged: 4, duplicates: 2, stored: 2 });
  });

  test('an event whose identity is forgotten is neither stored again nor replaced', async () => {
    const day = 86_400_000;
    const then = receivedAt - 40 * day;
    const time = new Date(then - 60_000).toISOString();
    feed.events([{ id: '1', value: '5', time, attributes: { b: '1', a: 'ü' } }], 1, then);
    await pipeline.drain();
    feed.events([{ id: 'other' }]);
    await pipeline.drain();
    const again = { id: '1', value: '5.0', time, attributes: { a: 'ü', b: '1' } };
    const changed = [
      { ...again, value: '6' },
      { ...again, time: new Date(then).toISOString() },
      { ...again, type: 'ai_call' },
    ];
    for (const event of [again, ...changed]) {
      feed.events([event]);
      await pipeline.drain();
      // Each one is a batch of its own after the identity was forgotten.
      await pipeline.forget();
    }
    expect(await rowsOf(fixture.store, "SELECT id, value, offset FROM usage_events WHERE id = '1'")).toEqual([
      { id: '1', value: '5', offset: '0' },
    ]);
    expect(await one('SELECT count() AS n FROM usage_conflicts')).toEqual({ n: '3' });
    expect(total(await ledger(49), 'events')).toEqual({ accepted: 6, logged: 6, duplicates: 4, stored: 2 });
    await pipeline.forget();
    feed.committed = 0;
    await pipeline.consumer.handle(feed.plan(true), { insertToken: 'taken again', ledgerLost: false });
    expect(await one("SELECT count() AS n, sum(value) AS v FROM usage_events FINAL WHERE id = '1'")).toEqual({
      n: '1',
      v: '5',
    });
  });

  test('identities wait for what waits in the log', async () => {
    const day = 86_400_000;
    const [then, later] = [receivedAt - 33.9 * day, receivedAt - 2 * day];
    const event = { id: '1', time: new Date(then).toISOString() };
    feed.events([event], 1, then);
    await pipeline.drain();
    feed.events([{ id: 'other' }], 1, later);
    await pipeline.drain();
    feed.events([event], 1, later);
    await pipeline.drain();
    expect(total(await ledger(49), 'events')).toEqual({ accepted: 3, logged: 3, duplicates: 1, stored: 2 });
  });

  test('every conflict of one request stands in the list', async () => {
    feed.events(['1', '2', '3', '2'].map((value) => ({ id: '1', value })));
    await pipeline.drain();
    await fixture.store.execute('OPTIMIZE TABLE usage_conflicts FINAL');
    const values = "SELECT JSONExtractString(payload, 'value') AS value FROM usage_conflicts FINAL ORDER BY position";
    expect(await rowsOf(fixture.store, values)).toEqual([{ value: '2' }, { value: '3' }, { value: '2' }]);
    feed.events([
      { id: '1', value: '1' },
      { id: '1', value: '0.5', time: new Date(at - 1).toISOString() },
    ]);
    await pipeline.drain();
    const told = (await ledger()).map((row) => [
      row.logged,
      row.duplicates,
      row.duplicateSum,
      row.conflicts,
      row.conflictSum,
      row.stored,
    ]);
    expect(told).toEqual([
      [1, 1, '0.5', 1, '0.5', 0],
      [5, 4, '8', 3, '7', 1],
    ]);
  });
});

describe('roll-ups', () => {
  test('increase over hours counts the edge, a reset on it, a gap and a late hour', async () => {
    const counter = (points: [number, number][]) => feed.otlp('metrics', numberMetric('c', points, { counter: true }));
    const bucket = (hours: number) => `${new Date(at + hours * hour).toISOString().slice(0, 19).replace('T', ' ')}`;
    const usage = async () =>
      (await rowsOf(fixture.store, 'SELECT bucket, increase FROM usage_hour FINAL ORDER BY bucket')).map((row) => [
        row['bucket'],
        row['increase'],
      ]);
    counter([
      [at - 4 * hour, 10],
      [at - 3 * hour - 1000, 14],
    ]);
    counter([
      [at - hour, 30],
      [at - 1000, 31],
    ]);
    counter([
      [at, 5],
      [at + 1000, 7],
    ]);
    await pipeline.drain();
    expect(await usage()).toEqual([
      [bucket(-4), 4],
      [bucket(-1), 1 + 16],
      [bucket(0), 2 + 5],
    ]);
    // The gap is filled late: the edge of the hour after it changes, the total does not.
    counter([[at - 2 * hour, 20]]);
    await pipeline.drain();
    expect(await usage()).toEqual([
      [bucket(-4), 4],
      [bucket(-2), 6],
      [bucket(-1), 1 + 10],
      [bucket(0), 2 + 5],
    ]);
    expect(await one('SELECT sum(count) AS n FROM series_minute FINAL')).toEqual({ n: '7' });
  });

  test('a restart of the counter that the values do not show is seen by its start time', async () => {
    feed.otlp('metrics', numberMetric('c', [[at + 1000, 5]], { counter: true, startMs: at - 5000 }));
    feed.otlp('metrics', numberMetric('c', [[at + 9000, 6]], { counter: true, startMs: at + 8000 }));
    await pipeline.drain();
    expect(await one('SELECT increase, resets FROM series_hour FINAL')).toEqual({ increase: 6, resets: 1 });
  });
});

describe('tables', () => {
  test('the exporter views answer the usual queries of Grafana and HyperDX', async () => {
    everything();
    await pipeline.drain();
    const spans = await rowsOf(
      fixture.store,
      `SELECT TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, Duration, StatusCode, SpanAttributes['http.route'] AS route,
         ResourceAttributes['service.name'] AS service, Events.Name AS events, Events.Attributes[1]['k'] AS k, Links.TraceId AS links
       FROM otel_traces WHERE TraceId = '0af7651916cd43dd8448eb211c80319c' AND SpanId = 'b7ad6b7169203331'`,
    );
    expect(spans).toEqual([
      {
        TraceId: '0af7651916cd43dd8448eb211c80319c',
        SpanId: 'b7ad6b7169203331',
        ParentSpanId: '',
        SpanName: 'GET /',
        SpanKind: 'Server',
        ServiceName: 'shop',
        Duration: '5000000',
        StatusCode: 'Error',
        route: '/',
        service: 'shop',
        events: ['e'],
        k: 'v',
        links: ['0af7651916cd43dd8448eb211c80319d'],
      },
    ]);
    expect(
      await one(
        "SELECT count() AS n, any(SeverityText) AS s FROM otel_logs WHERE ServiceName = 'shop' AND lower(Body) LIKE '%hello%' AND TraceId = '0af7651916cd43dd8448eb211c80319c'",
      ),
    ).toEqual({ n: '2', s: 'INFO' });
    expect(await one('SELECT count, sum, bucket_counts, isNaN(min) AS m FROM histograms LIMIT 1')).toEqual({
      count: '3',
      sum: 6.5,
      bucket_counts: ['1', '2', '0'],
      m: 1,
    });
  });

  test('every telemetry table drops its rows by their own retention', async () => {
    const tables = await rowsOf(
      fixture.store,
      "SELECT name FROM system.tables WHERE database = 'default' AND create_table_query LIKE '%TTL toDate32(%) + toIntervalDay(retention_days)%' ORDER BY name",
    );
    expect(tables.map((row) => row['name'])).toEqual([
      'exemplars',
      'exponential_histograms',
      'histograms',
      'log_records',
      'samples',
      'spans',
      'summaries',
      'usage_conflicts',
      'usage_events',
    ]);
  });
});

describe('ledger', () => {
  test('a lost row and an added row show, and a failed reading is an error', async () => {
    everything();
    await pipeline.drain();
    await fixture.store.execute('DELETE FROM samples WHERE value = 3');
    expect(balanced(await ledger())).toBe(false);
    await fixture.store.execute(
      `INSERT INTO samples SELECT 9, 1, toDateTime64(${at / 1000}, 3, 'UTC'), 1, toDateTime64(0, 3, 'UTC'), now(), 0, 400`,
    );
    const foreign = (await ledger()).find((row) => row.tenant === 9);
    expect(foreign).toMatchObject({ accepted: 0, logged: 0, stored: 1, rolledUp: null, rollUpPending: true });
    const broken = { ...fixture.store, query: () => Promise.reject(new Error('broken')) } as Store;
    await expect(readLedger(broken, { fromHour: 0, toHour: 1 })).rejects.toThrow('broken');
  });
});
