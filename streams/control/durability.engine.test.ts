import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { sql } from 'kysely';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { verifyAudit } from './audit.ts';
import { createControl } from './kysely-control.ts';
import { copyEmptyControl } from './test-cluster.ts';
import { insertTenant, testActor } from './test-control.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pulse-durable-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const open = async (dir: string) => {
  const control = createControl({ connection: { kind: 'pglite', dir }, logger: pino({ level: 'silent' }) });
  await control.start();
  return control;
};

const write = (control: Awaited<ReturnType<typeof open>>, id: string) =>
  control.mutate(testActor, { kind: 'global' }, async (tx) => {
    await insertTenant(tx, id);
    return { result: null, audit: { action: 'tenant.create', resource: id, tenantId: id } };
  });

test('200 commits make at least 200 real fsyncs of the write-ahead log', async () => {
  const dir = join(root, 'control');
  await copyEmptyControl(dir);
  const control = await open(dir);
  const before = await control.fsyncs();
  const begun = performance.now();
  for (let index = 0; index < 200; index += 1) await write(control, `t-${index}`);
  const elapsed = performance.now() - begun;
  const after = await control.fsyncs();
  await control.stop();
  const wal = (after?.wal ?? 0) - (before?.wal ?? 0);
  process.stdout.write(`200 commits: ${wal} fsyncs of the WAL, ${(elapsed / 200).toFixed(1)} ms a commit\n`);
  expect(wal).toBeGreaterThanOrEqual(200);
});

test('every commit acknowledged before a SIGKILL is there afterwards, and the audit chain is whole', async () => {
  const dir = join(root, 'control');
  const ledger = join(root, 'ledger');
  writeFileSync(ledger, '');
  const acknowledged = () => readFileSync(ledger, 'utf8').split('\n').filter(Boolean);
  for (const further of [1, 40, 15]) {
    const target = acknowledged().length + further;
    const child = spawn(process.execPath, [join(import.meta.dirname, 'kill-child.ts'), dir, ledger], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const ended = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
    while (acknowledged().length < target && child.exitCode === null) await wait(5);
    child.kill('SIGKILL');
    expect(await ended).toBe('SIGKILL');
  }
  const control = await open(dir);
  const ids = await control.read({ kind: 'global' }, (tx) => tx.selectFrom('tenants').select('id').execute());
  const stored = new Set(ids.map(({ id }) => id));
  const verification = await verifyAudit(control);
  await control.stop();
  expect(acknowledged().length).toBeGreaterThanOrEqual(56);
  expect(acknowledged().filter((id) => !stored.has(id))).toEqual([]);
  // A commit that was killed before its acknowledgement may be there as well, with its audit record or not at all.
  expect(verification).toMatchObject({ ok: true, records: stored.size });
});

test('a kill during the very first start leaves nothing half made', async () => {
  const dir = join(root, 'control');
  mkdirSync(`${dir}.unfinished`, { recursive: true });
  writeFileSync(join(`${dir}.unfinished`, 'PG_VERSION'), '18\n');
  const control = await open(dir);
  await write(control, 'alpha');
  await control.stop();
  expect(existsSync(`${dir}.unfinished`)).toBe(false);
});

test('a directory with something else in it is refused and kept', async () => {
  const dir = join(root, 'control');
  mkdirSync(dir);
  writeFileSync(join(dir, 'letter.txt'), 'dear');
  await expect(open(dir)).rejects.toMatchObject({ code: 'control.unavailable' });
  expect(readFileSync(join(dir, 'letter.txt'), 'utf8')).toBe('dear');
});

test('data of a newer version is refused at start and stays as it is', async () => {
  const dir = join(root, 'control');
  await copyEmptyControl(dir);
  const control = await open(dir);
  await control.mutate(testActor, { kind: 'global' }, async (tx) => {
    await sql`RESET ROLE`.execute(tx);
    await sql`INSERT INTO pulse_migrations (name, checksum) VALUES ('9999_future.sql', 'x')`.execute(tx);
    return { result: null, audit: { action: 'test.write', resource: 'test', tenantId: null } };
  });
  await control.stop();
  await expect(open(dir)).rejects.toMatchObject({ code: 'control.newer_version' });
  expect(existsSync(join(dir, 'PG_VERSION'))).toBe(true);
});

test('a second start finds the data, and stopping twice is harmless', async () => {
  const dir = join(root, 'control');
  const first = await open(dir);
  await write(first, 'alpha');
  await first.stop();
  await first.stop();
  await expect(first.read({ kind: 'global' }, async () => null)).rejects.toMatchObject({ code: 'control.unavailable' });
  const second = await open(dir);
  const rows = await second.read({ kind: 'global' }, (tx) => tx.selectFrom('tenants').select('id').execute());
  await second.stop();
  expect(rows).toEqual([{ id: 'alpha' }]);
});
