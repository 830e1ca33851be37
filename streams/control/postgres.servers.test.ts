import { Client } from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Clock } from '../runtime/clock.ts';
import { auditConformance } from './audit-conformance.ts';
import { controlConformance } from './conformance.ts';
import { createControl } from './kysely-control.ts';
import { insertTenant, startTestControl, type TestControl, testActor } from './test-control.ts';
import { startPostgresServer, type TestPostgresServer } from './test-postgres-server.ts';

let server: TestPostgresServer;
let url: URL;
let databases = 0;

beforeAll(async () => {
  server = await startPostgresServer();
  url = server.url;
});
afterAll(() => server.stop());

/** A new database on the server. */
async function newDatabase(): Promise<string> {
  databases += 1;
  const name = `pulse_${databases}`;
  const client = new Client({ connectionString: url.href });
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  return Object.assign(new URL(url), { pathname: `/${name}` }).href;
}

const start = async (clock?: Clock): Promise<TestControl> => startTestControl(clock, await newDatabase());

describe('the control plane on a PostgreSQL server', () => {
  controlConformance(() => start());
});

describe('the audit chain on a PostgreSQL server', () => {
  auditConformance(start);
});

describe('a PostgreSQL server', () => {
  const open = (target: string) =>
    createControl({ connection: { kind: 'postgres', url: target }, logger: pino({ level: 'silent' }) });

  test('is migrated once by two processes that start together, and keeps its data over a restart', async () => {
    const target = await newDatabase();
    const both = [open(target), open(target)];
    await Promise.all(both.map((control) => control.start()));
    await both[0]?.mutate(testActor, { kind: 'global' }, async (tx) => {
      await insertTenant(tx, 'kept');
      return { result: null, audit: { action: 'tenant.create', resource: 'kept', tenantId: 'kept' } };
    });
    await Promise.all(both.map((control) => control.stop()));
    const again = open(target);
    await again.start();
    const tenants = await again.read({ kind: 'global' }, (tx) => tx.selectFrom('tenants').select('id').execute());
    await again.stop();
    expect(tenants).toEqual([{ id: 'kept' }]);
  });

  test('that is not there, or gone in the middle, is unavailable and may be tried again', async () => {
    await expect(open('postgres://pulse:x@127.0.0.1:9/none').start()).rejects.toMatchObject({
      code: 'control.unavailable',
      retryable: true,
    });
    const target = await newDatabase();
    const control = open(target);
    await control.start();
    const admin = new Client({ connectionString: url.href });
    await admin.connect();
    const ended = control.read({ kind: 'global' }, async (tx) => {
      await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [
        new URL(target).pathname.slice(1),
      ]);
      return tx.selectFrom('tenants').select('id').execute();
    });
    await expect(ended).rejects.toMatchObject({ code: 'control.unavailable', status: 503, retryable: true });
    // The pool opens another connection.
    expect(await control.read({ kind: 'global' }, (tx) => tx.selectFrom('tenants').select('id').execute())).toEqual([]);
    await admin.end();
    await control.stop();
  });
});
