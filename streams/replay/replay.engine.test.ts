import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rowsOf, silentLogger } from '../store/store-fixture.ts';
import { BatchFeed, numberMetric } from '../store/telemetry-fixture.ts';
import { parseRange } from './plan.ts';
import { type ReplayDeps, type ReplayReport, type ReplayRequest, runReplay } from './replay-run.ts';
import { firstHourMs, openReplayFixture, type ReplayFixture, threeHours } from './testing.ts';

let fixture: ReplayFixture;

const iso = (hour: number) => new Date(firstHourMs + hour * 3_600_000).toISOString();
const range = (from: number, to: number) => parseRange(iso(from), iso(to));

function replay(
  request: Partial<Omit<ReplayRequest, 'scope'>> & { scope?: Partial<ReplayRequest['scope']> } = {},
  deps: Partial<ReplayDeps> = {},
): Promise<ReplayReport> {
  const { log, store, maintenance } = fixture;
  const { scope, ...rest } = request;
  return runReplay(
    { log, store, maintenance, logger: silentLogger, ...deps },
    {
      into: 'shadow',
      knownAts: [],
      shadowName: 'replay_test',
      scope: { ...range(0, 3), tenant: null, ...scope },
      ...rest,
    },
  );
}

/** All rows of the tables as text, whatever made them. */
async function dump(): Promise<Record<string, unknown>> {
  const tables: Record<string, string> = {
    samples: '* EXCEPT (on_time)',
    histograms: '*',
    spans: '*',
    log_records: '*',
    usage_events: '*',
    usage_conflicts: '*',
    series_hour: '* EXCEPT (version)',
    series_minute: '* EXCEPT (version)',
    usage_hour: '* EXCEPT (version)',
    produced: '* EXCEPT (seq)',
    rolled: '* EXCEPT (version)',
    touched: '*',
    series: '*',
  };
  const rows: Record<string, unknown> = {};
  for (const [table, columns] of Object.entries(tables)) {
    const lines = await rowsOf(
      fixture.store,
      `SELECT toString(tuple(${columns})) AS line FROM ${table} FINAL ORDER BY line`,
    );
    rows[table] = lines.map(({ line }) => line);
  }
  return rows;
}

const differing = (report: ReplayReport) => [
  ...new Set(report.days.filter(({ isEqual }) => !isEqual).map(({ table }) => table)),
];
const databases = () => rowsOf(fixture.store, "SELECT name FROM system.databases WHERE name LIKE 'replay%'");

beforeAll(async () => {
  fixture = await openReplayFixture({ segmentBytes: 2000 });
  await fixture.append(threeHours());
  await fixture.drain();
});
afterAll(() => fixture.close());

describe('into a shadow', () => {
  test('rebuilds every table to the byte, and leaves nothing behind', async () => {
    const before = await dump();
    const phases: string[] = [];
    const report = await replay({}, { onProgress: ({ phase }) => phases.push(phase) });
    expect(differing(report)).toEqual([]);
    expect(report.differences).toEqual([]);
    expect(report.isIdentical).toBe(true);
    const rows = Object.fromEntries(report.days.map(({ table, rebuilt }) => [table, rebuilt]));
    expect(rows).toMatchObject({
      samples: 240,
      histograms: 12,
      spans: 6,
      log_records: 12,
      usage_events: 12,
      usage_conflicts: 2,
    });
    expect(Object.keys(rows)).toEqual(
      expect.arrayContaining(['series_hour', 'series_minute', 'usage_hour', 'touched']),
    );
    expect([...new Set(phases)]).toEqual(['planning', 'taking', 'comparing', 'done']);
    expect(await dump()).toEqual(before);
    expect(await databases()).toEqual([]);
  });

  test('a cancelled one ends with its code and leaves nothing behind', async () => {
    const abort = new AbortController();
    const onProgress = () => abort.abort();
    await expect(replay({}, { signal: abort.signal, onProgress })).rejects.toMatchObject({ code: 'replay.cancelled' });
    expect(await databases()).toEqual([]);
  });
});

describe('into the live tables', () => {
  test('rows that are missing, doubled or altered are as they were, and nothing else has changed', async () => {
    const before = await dump();
    const damage = [
      "ALTER TABLE samples DELETE WHERE tenant = 1 AND toStartOfHour(time) = toDateTime('2026-11-21 09:00:00', 'UTC')",
      "ALTER TABLE samples UPDATE value = value + 1 WHERE tenant = 2 AND toStartOfHour(time) = toDateTime('2026-11-21 10:00:00', 'UTC')",
      'ALTER TABLE spans DELETE WHERE tenant = 2',
      "INSERT INTO usage_events SELECT * REPLACE ('forged' AS id) FROM usage_events LIMIT 1",
      "ALTER TABLE usage_conflicts UPDATE payload = replaceOne(payload, '99', '98') WHERE 1",
      'ALTER TABLE series_hour UPDATE increase = increase + 5 WHERE tenant = 1',
      // As if the hour had been rolled up while points of it were missing.
      'ALTER TABLE rolled UPDATE rows = rows - 1 WHERE tenant = 1',
      'ALTER TABLE produced DELETE WHERE tenant = 2',
      'ALTER TABLE touched UPDATE duplicates = 0 WHERE tenant = 1',
      "ALTER TABLE series DELETE WHERE metric = 'dotmac.logins' AND tenant = 1",
    ];
    for (const sql of damage) {
      await fixture.store.execute(sql.startsWith('ALTER') ? `${sql} SETTINGS mutations_sync = 1` : sql);
    }
    const swapped = await replay({ into: 'live' });
    expect(swapped.isIdentical).toBe(false);
    expect(differing(swapped)).toEqual(
      expect.arrayContaining([
        ...['produced', 'rolled', 'samples', 'series_hour', 'spans', 'touched', 'usage_conflicts', 'usage_events'],
      ]),
    );
    expect(swapped.differences).toContainEqual({ table: 'usage_events', onlyLive: 1, onlyRebuilt: 0 });
    expect(swapped.missingSeries).toBe(1);
    expect(swapped.swapped).toEqual(
      expect.arrayContaining(['samples/20261121', 'usage_events/202611', 'touched', 'series']),
    );
    const after = await dump();
    for (const [table, rows] of Object.entries(before)) expect({ table, rows: after[table] }).toEqual({ table, rows });
    expect(await databases()).toEqual([]);
  });

  test('of one tenant leaves the others alone, also where they are wrong', async () => {
    for (const tenant of [1, 2]) {
      const where = `tenant = ${tenant} AND toStartOfHour(Timestamp) = toDateTime('2026-11-21 10:00:00', 'UTC')`;
      await fixture.store.execute(`ALTER TABLE log_records DELETE WHERE ${where} SETTINGS mutations_sync = 1`);
    }
    const report = await replay({ into: 'live', scope: { ...range(1, 2), tenant: 1 } });
    expect(report.swapped).toEqual(['log_records/20261121']);
    expect(report.days.find(({ table }) => table === 'samples')).toMatchObject({
      live: 120,
      rebuilt: 120,
      isEqual: true,
    });
    const rows = () =>
      rowsOf(fixture.store, 'SELECT tenant, count() AS rows FROM log_records FINAL GROUP BY tenant ORDER BY tenant');
    expect(await rows()).toEqual([
      { tenant: 1, rows: '6' },
      { tenant: 2, rows: '4' },
    ]);
  });

  test('what came while it ran is in the rebuilt tables too', async () => {
    await fixture.store.execute('ALTER TABLE samples DELETE WHERE tenant = 1 SETTINGS mutations_sync = 1');
    let sent: Promise<void> | undefined;
    const feed = new BatchFeed().otlp('metrics', numberMetric('dotmac.tickets.open', [[firstHourMs + 5000, 5]]), 1);
    const report = await replay(
      { into: 'live' },
      {
        onProgress: ({ phase }) => {
          if (phase === 'taking') sent ??= fixture.append(feed).then(() => fixture.drain());
        },
        maintenance: {
          ...fixture.maintenance,
          gate: {
            run: (work) => work(),
            // Stands for the consumer of the running server: by the time the gate is closed it has taken the new record.
            close: async () => {
              await sent;
              return () => {};
            },
          },
        },
      },
    );
    expect(report.swapped).toContain('samples/20261121');
    const [row] = await rowsOf(fixture.store, 'SELECT count() AS rows FROM samples FINAL WHERE tenant = 1');
    expect(row).toEqual({ rows: '121' });
  });
});

test('a day whose partition is empty in the log’s view is emptied', async () => {
  const [columns] = await rowsOf(
    fixture.store,
    "SELECT arrayStringConcat(groupArray(name), ', ') AS names FROM (SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'spans' ORDER BY position)",
  );
  const shifted = String(columns?.['names']).replace('Timestamp', 'Timestamp - INTERVAL 2 DAY');
  await fixture.store.execute(`INSERT INTO spans SELECT ${shifted} FROM spans FINAL WHERE tenant = 1`);
  const report = await replay({ into: 'live', scope: range(-72, 3) });
  expect(report.swapped).toEqual(['spans/20261119']);
  const left = await rowsOf(fixture.store, 'SELECT DISTINCT toString(toDate(Timestamp)) AS day FROM spans');
  expect(left).toEqual([{ day: '2026-11-21' }]);
});

test('what the log no longer holds is refused, naming the first hour that can be rebuilt', async () => {
  // Another segment, so that the first can go.
  const later = (ms: number) => numberMetric('dotmac.tickets.open', [[firstHourMs + ms, 1]]);
  await fixture.append(new BatchFeed().otlp('metrics', later(11), 1).otlp('metrics', later(12), 2));
  await fixture.drain();
  for (const { partition, next } of await fixture.log.committed('telemetry', 'store'))
    await fixture.log.retain('telemetry', partition, next);
  const error = await replay().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'replay.log_gone', status: 410, field: 'from' });
  expect(error).toMatchObject({
    context: { firstAvailable: expect.stringMatching(/^2026-11-21T1[0-2]:00:00\.000Z$/) },
  });
});
