import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyAudit } from '../control/audit.ts';
import { createControl } from '../control/kysely-control.ts';
import { copyEmptyControl } from '../control/test-cluster.ts';
import { insertTenant, startTestControl, type TestControl, testActor } from '../control/test-control.ts';
import { createEmbeddedLog } from '../log/index.ts';
import { createReplayService, toKnownAt } from '../replay/replay-service.ts';
import { createRunStore } from '../replay/run-store.ts';
import {
  firstHourMs,
  messagesOf,
  openReplayFixture,
  type ReplayFixture,
  receivedAt,
  threeHours,
} from '../replay/testing.ts';
import { createChdbStore } from '../store/chdb-store.ts';
import type { Store } from '../store/port.ts';
import { fixedClock, rowsOf, silentLogger } from '../store/store-fixture.ts';
import { BatchFeed, numberMetric } from '../store/telemetry-fixture.ts';
import { createBackupService } from './backup-service.ts';
import { dumpControl } from './control-dump.ts';
import { readBackup } from './manifest.ts';
import { restoreBackup } from './restore-backup.ts';
import { type TakenBackup, takeBackup } from './take-backup.ts';

const home = mkdtempSync(join(tmpdir(), 'pulse-backup-'));
const dataDir = join(home, 'data');
const template = join(home, 'empty-control');
let fixture: ReplayFixture;
let control: TestControl;
let taken: TakenBackup;
let atBackup: Record<string, unknown>;
const rowsAtBackup: string[] = [];
let controlAtBackup: Awaited<ReturnType<typeof dumpControl>>;

const totals = async (store: Store) => {
  const tables = ['samples', 'spans', 'log_records', 'usage_events', 'usage_conflicts', 'series_hour', 'touched'];
  const rows: Record<string, unknown> = {};
  for (const table of tables) {
    const sql = `SELECT toString(count()) AS rows, toString(sum(cityHash64(*))) AS hash FROM ${table} FINAL`;
    rows[table] = (await rowsOf(store, sql))[0];
  }
  return rows;
};

let next = 0;
const restore = async (options: Partial<Parameters<typeof restoreBackup>[0]> = {}) => {
  const target = join(home, `restored-${next++}`);
  const report = await restoreBackup({
    from: taken.directory,
    dataDir: target,
    log: null,
    isDurable: false,
    prepareControl: async (directory) => cpSync(template, directory, { recursive: true }),
    ...options,
  });
  return { target, report };
};

const serviceDeps = () => ({
  store: fixture.store,
  log: fixture.log,
  control: control.control,
  gate: fixture.maintenance.gate,
  clock: fixedClock(receivedAt),
  dataDir,
  product: 'test',
  logger: silentLogger,
  controlTemplate: template,
});

/** Types of the domain events of backups so far. */
const events = async () => {
  const rows = await control.control.read({ kind: 'global' }, (tx) =>
    tx.selectFrom('outbox').select('type').orderBy('seq').execute(),
  );
  return rows.map(({ type }) => type);
};

const tenantNumbers = async (of: TestControl) =>
  of.control.read({ kind: 'global' }, (tx) =>
    tx.selectFrom('tenants').select(['id', 'number']).orderBy('number').execute(),
  );

async function opened<T>(target: string, run: (store: Store) => Promise<T>): Promise<T> {
  const store = createChdbStore({ dir: join(target, 'store'), logger: silentLogger, clock: fixedClock(receivedAt) });
  await store.start();
  try {
    return await run(store);
  } finally {
    await store.stop();
  }
}

beforeAll(async () => {
  await copyEmptyControl(template);
  fixture = await openReplayFixture({}, dataDir);
  control = await startTestControl();
  for (const id of ['t-1', 't-2']) {
    await control.control.mutate(testActor, { kind: 'global' }, async (tx) => {
      await insertTenant(tx, id);
      const key = {
        id: `key-${id}`,
        tenant_id: id,
        name: 'k',
        prefix: id,
        hash: 'a'.repeat(64),
        scopes: ['backfill', 'a"b'],
      };
      await tx.insertInto('api_keys').values(key).execute();
      return {
        result: null,
        audit: { action: 'tenant.create', resource: id, tenantId: id, after: { name: 'Ünïcode', nested: { n: 1.5 } } },
      };
    });
  }
  await fixture.append(threeHours());
  await fixture.drain();
  atBackup = await totals(fixture.store);
  controlAtBackup = await dumpControl(control.control, (line) => rowsAtBackup.push(line));
  taken = await takeBackup(
    {
      store: fixture.store,
      log: fixture.log,
      control: control.control,
      gate: fixture.maintenance.gate,
      clock: fixedClock(receivedAt),
      dataDir,
      product: 'test',
    },
    join(home, 'backups'),
    'first-one',
  );
});
afterAll(async () => {
  await control.end();
  await fixture.close();
  rmSync(home, { recursive: true, force: true });
});

describe('a backup', () => {
  test('says what it holds, and leaves nothing else behind', async () => {
    const { manifest } = await readBackup(taken.directory);
    expect(manifest.store.tables.find(({ name }) => name === 'samples')?.rows).toBeGreaterThan(200);
    expect(manifest.control.tables.find(({ name }) => name === 'tenants')?.rows).toBe(2);
    expect(manifest.knownAt).toEqual(await fixture.log.committed('telemetry', 'store'));
    expect(readdirSync(join(home, 'backups'))).toEqual(['first-one']);
    expect(existsSync(join(dataDir, 'store/engine/shadow/first_one'))).toBe(false);
  });

  test('counts as verified when a process of its own has restored it, and is told of; one at a time', async () => {
    const service = createBackupService(serviceDeps());
    const directory = join(home, 'scheduled');
    const begun = await service.start(testActor, { directory, isScheduled: true });
    expect(begun).toMatchObject({ state: 'running', verifiedAt: null });
    await expect(service.start(testActor, { directory })).rejects.toMatchObject({ code: 'maintenance.running' });
    await service.ended();
    const done = await service.find(begun.id);
    expect(done).toMatchObject({ state: 'done', error: null, verifiedAt: new Date(receivedAt).toISOString() });
    expect(await service.lastVerified()).toEqual(done);
    expect(done.knownAt).toBe(toKnownAt(await fixture.log.committed('telemetry', 'store')));
    expect(await events()).toEqual(['backup.verified']);
    expect(readdirSync(join(directory, 'trials'))).toEqual([]);
    for (const old of ['pulse-20200101T000000Z-aaaaaa', 'pulse-20200102T000000Z-bbbbbb', 'mine'])
      cpSync(taken.directory, join(directory, old), { recursive: true });
    await service.prune(directory, 2);
    expect(readdirSync(directory).toSorted()).toEqual(
      ['mine', 'pulse-20200102T000000Z-bbbbbb', basename(done.directory), 'trials'].toSorted(),
    );
    mkdirSync(join(dataDir, 'store/engine/shadow/pulse_left_by_a_kill'));
    await service.clean();
    expect(readdirSync(join(dataDir, 'store/engine/shadow'))).not.toContain('pulse_left_by_a_kill');
    const asked = join(directory, 'pulse-20190101T000000Z-dddddd');
    cpSync(taken.directory, asked, { recursive: true });
    const runs = createRunStore<object>(control.control, 'backup');
    const document = { directory: asked, isScheduled: false, verifiedAt: null };
    const run = { id: 'backup-asked', at: receivedAt - 1000, document };
    await runs.begin(testActor, run);
    await runs.end(testActor, { ...run, state: 'done' });
    await service.prune(directory, 1);
    expect(readdirSync(directory).toSorted()).toEqual(
      ['mine', basename(asked), basename(done.directory), 'trials'].toSorted(),
    );
  });

  test('that cannot be restored has failed, loudly', async () => {
    const service = createBackupService({ ...serviceDeps(), controlTemplate: join(home, 'nothing') });
    const directory = join(home, 'failing');
    const begun = await service.start(testActor, { directory, isScheduled: true });
    await service.ended();
    const failed = await service.find(begun.id);
    expect(failed).toMatchObject({ state: 'failed', verifiedAt: null, error: { code: 'backup.not_verified' } });
    expect((await service.lastVerified())?.id).not.toBe(begun.id);
    const before = 'pulse-20200101T000000Z-aaaaaa';
    cpSync(taken.directory, join(directory, before), { recursive: true });
    await service.prune(directory, 1);
    expect(readdirSync(directory).toSorted()).toEqual([before, basename(failed.directory), 'trials'].toSorted());
    expect(await events()).toEqual(['backup.verified', 'backup.failed']);
  });

  test.each([
    ['relative', 'backups'],
    ['inside of the data directory', join(dataDir, 'backups')],
    ['a file', join(home, 'a-file')],
  ])('is refused a directory that is %s', async (_, directory) => {
    writeFileSync(join(home, 'a-file'), '');
    const start = createBackupService(serviceDeps()).start(testActor, { directory });
    await expect(start).rejects.toMatchObject({ code: 'backup.directory_invalid', field: 'directory' });
  });

  test('or a replay whose process is gone is marked as interrupted, and its rest removed', async () => {
    const { store, log, maintenance } = fixture;
    const replays = createReplayService({
      ...{ control: control.control, store, log, maintenance, logger: silentLogger },
      tenants: { byId: () => undefined },
      clock: fixedClock(receivedAt),
    });
    const request = { from: '2026-11-21T09:00:00Z', to: '2026-11-21T10:00:00Z', into: 'shadow' as const, knownAt: [] };
    await expect(replays.start(testActor, { ...request, to: 'x' })).rejects.toMatchObject({
      code: 'replay.range_invalid',
    });
    const progress = { phase: 'taking', batches: 1, batchesDone: 0, records: 0 };
    await createRunStore(control.control, 'replay').begin(testActor, {
      id: 'replay-lost',
      at: receivedAt - 1,
      document: { request, progress, report: null, error: null },
    });
    const lost = store.inDatabase('replay_lost');
    await lost.start();
    await lost.stop();
    await expect(replays.start(testActor, request)).rejects.toMatchObject({ code: 'maintenance.running' });
    await replays.clean();
    expect(await replays.find('replay-lost')).toMatchObject({
      state: 'interrupted',
      error: { code: 'replay.interrupted' },
    });
    expect(await rowsOf(store, "SELECT name FROM system.databases WHERE name = 'replay_lost'")).toEqual([]);
    const { id } = await replays.start(testActor, request);
    await replays.ended();
    const done = await replays.find(id);
    expect(done).toMatchObject({ state: 'done', report: { isIdentical: true, from: '2026-11-21T08:00:00.000Z' } });
    expect((await replays.list(10)).map((run) => run.state)).toEqual(['done', 'interrupted']);
    await expect(replays.cancel(id)).rejects.toMatchObject({ code: 'replay.not_running' });
    await expect(replays.find('replay-none')).rejects.toMatchObject({ code: 'replay.unknown' });
  });

  test('is not written over one that is there', async () => {
    const { store, log, maintenance } = fixture;
    const deps = {
      store,
      log,
      control: control.control,
      gate: maintenance.gate,
      clock: fixedClock(0),
      dataDir,
      product: 't',
    };
    await expect(takeBackup(deps, join(home, 'backups'), 'first-one')).rejects.toMatchObject({ code: 'backup.exists' });
  });
});

describe('a restore', () => {
  test('without a log gives a log that goes on where the lost one ended', async () => {
    const { target, report } = await restore();
    expect(report).toMatchObject({ recordsToTake: null, unknownTenants: [] });
    const log = createEmbeddedLog({ dir: join(target, 'log'), clock: fixedClock(receivedAt) });
    await log.start();
    const ends = (await fixture.log.offsets('telemetry')).map(({ partition, next: end }) => ({
      partition,
      first: end,
      next: end,
    }));
    expect(await log.offsets('telemetry')).toEqual(ends);
    expect(log.epoch()).not.toBe(fixture.log.epoch());
    const [message] = messagesOf(threeHours());
    const [position] = await log.append('telemetry', message === undefined ? [] : [message]);
    expect(position?.offset).toBe(ends[position?.partition ?? 0]?.next);
    await log.stop();
    await expectSameControl(target);
  });

  test.each([
    ['a file of the tables', (from: string) => join(from, readdirPath(from, 'data.bin')), 'backup.damaged'],
    ['the dump of the control plane', (from: string) => join(from, 'control.ndjson'), 'backup.damaged'],
    ['the list of files', (from: string) => join(from, 'files.ndjson'), 'backup.damaged'],
    ['the manifest', (from: string) => join(from, 'manifest.json'), 'backup.damaged'],
  ])('refuses one byte changed in %s, and leaves nothing half restored', async (_, file, code) => {
    const copy = join(home, `damaged-${next++}`);
    cpSync(taken.directory, copy, { recursive: true });
    const bytes = readFileSync(file(copy));
    const middle = Math.floor(bytes.length / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    writeFileSync(file(copy), bytes);
    const target = join(home, `refused-${next++}`);
    await expect(restoreBackup({ from: copy, dataDir: target, log: null })).rejects.toMatchObject({ code });
    expect(readdirSync(home).filter((name) => name.startsWith('refused-'))).toEqual([]);
  });

  test('refuses what it cannot read or must not write over, each with its code', async () => {
    const refused = (options: Partial<Parameters<typeof restoreBackup>[0]>) =>
      restore(options).then(
        () => 'restored',
        (error: { code?: string }) => error.code,
      );
    expect(await refused({ from: home })).toBe('backup.not_found');
    expect(await refused({ dataDir })).toBe('backup.target_not_empty');
    expect(await refused({ log: home })).toBe('backup.log_missing');
    const other = createEmbeddedLog({ dir: join(home, 'other-log'), clock: fixedClock(0) });
    await other.start();
    await other.stop();
    expect(await refused({ log: join(home, 'other-log') })).toBe('backup.wrong_epoch');
    cpSync(taken.directory, join(home, 'newer'), { recursive: true });
    const outer = JSON.parse(readFileSync(join(home, 'newer/manifest.json'), 'utf8')) as { manifest: string };
    const body = outer.manifest.replace('"format": 1', '"format": 99');
    const sha256 = createHash('sha256').update(body).digest('hex');
    writeFileSync(join(home, 'newer/manifest.json'), JSON.stringify({ sha256, manifest: body }));
    expect(await refused({ from: join(home, 'newer') })).toBe('backup.newer_format');
    expect(readdirSync(home).filter((name) => name.endsWith('.restoring'))).toEqual([]);
  });

  test('with the log that survived takes again what came after the backup, and keeps the numbers of lost tenants free', async () => {
    const later = new BatchFeed().otlp('metrics', numberMetric('dotmac.tickets.open', [[firstHourMs + 9000, 5]]), 7);
    await fixture.append(later);
    await fixture.drain();
    const { target, report } = await restore({ log: join(dataDir, 'log') });
    expect(report.recordsToTake).toBe(1);
    expect(report.unknownTenants).toEqual([{ id: 't-7', number: 7 }]);
    const log = createEmbeddedLog({ dir: join(target, 'log'), clock: fixedClock(receivedAt) });
    await log.start();
    expect(await log.committed('telemetry', 'store')).toEqual(taken.manifest.knownAt);
    expect(log.epoch()).toBe(fixture.log.epoch());
    await log.stop();
    // Last of all: the engine of the fixture makes room for the restored one.
    const wanted = await totals(fixture.store);
    await fixture.store.stop();
    const before = await opened(target, totals);
    const { touched, ...rest } = before;
    expect(touched).not.toEqual(wanted['touched']);
    expect(Object.keys(rest).filter((table) => JSON.stringify(rest[table]) === JSON.stringify(wanted[table]))).toEqual([
      'spans',
      'log_records',
      'usage_events',
      'usage_conflicts',
    ]);
    expect(before).toEqual(atBackup);
  });
});

/** The same dump to the byte, numbers that go on, a chain that holds. */
async function expectSameControl(target: string): Promise<void> {
  const again = createControl({ connection: { kind: 'pglite', dir: join(target, 'control') }, logger: silentLogger });
  await again.start();
  try {
    const after: string[] = [];
    expect(await dumpControl(again, (line) => after.push(line))).toEqual(controlAtBackup);
    expect(after).toEqual(rowsAtBackup);
    await again.mutate(testActor, { kind: 'global' }, async (tx) => {
      await insertTenant(tx, 't-3');
      return { result: null, audit: { action: 'tenant.create', resource: 't-3', tenantId: 't-3' } };
    });
    const numbers = await tenantNumbers({ ...control, control: again });
    expect(numbers.map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(await verifyAudit(again)).toMatchObject({ ok: true, records: 3 });
    const change = again.mutate(testActor, { kind: 'global' }, async (tx) => {
      await tx.deleteFrom('rate_cards').execute();
      return { result: null, audit: { action: 'x', resource: 'x', tenantId: null } };
    });
    await expect(change).rejects.toMatchObject({ code: expect.stringMatching(/^control\./) });
  } finally {
    await again.stop();
  }
}

/** The first file of a name in the backup's tables. */
function readdirPath(from: string, name: string): string {
  const found = (readdirSync(join(from, 'store'), { recursive: true }) as string[]).find((path) => path.endsWith(name));
  return join('store', found ?? '');
}
