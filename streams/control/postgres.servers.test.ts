import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { sql } from 'kysely';
import { Client } from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Clock } from '../runtime/clock.ts';
import { auditConformance } from './audit-conformance.ts';
import { controlConformance } from './conformance.ts';
import { createControl } from './kysely-control.ts';
import { leaseConformance } from './lease-conformance.ts';
import { insertTenant, startTestControl, type TestControl, testActor } from './test-control.ts';
import {
  type LocalPostgresServer,
  startByScript,
  startPostgresServer,
  type TestPostgresServer,
} from './test-postgres-server.ts';

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

describe('leases on a PostgreSQL server', () => {
  leaseConformance(() => start());
});

/** The SQL of the README: a login without any right of its own beyond its database. */
async function ordinaryLogin(): Promise<string> {
  databases += 1;
  const name = `pulse_${databases}`;
  const client = new Client({ connectionString: url.href });
  await client.connect();
  const roles = ['pulse_reader', 'pulse_writer', 'pulse_auditor', 'pulse_counter', 'pulse_leaser', 'pulse_relay'];
  for (const role of roles) {
    await client.query(
      `DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '${role}') THEN CREATE ROLE ${role} NOLOGIN; END IF; END $$`,
    );
  }
  await client.query(
    "CREATE ROLE pulse_app LOGIN PASSWORD 'ordinary' NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION",
  );
  await client.query(`GRANT ${roles.join(', ')} TO pulse_app WITH ADMIN OPTION`);
  await client.query(`CREATE DATABASE ${name} OWNER pulse_app`);
  await client.end();
  return Object.assign(new URL(url), { pathname: `/${name}`, username: 'pulse_app', password: 'ordinary' }).href;
}

describe('the control plane on a PostgreSQL server under an ordinary login', () => {
  let login: string;
  beforeAll(async () => {
    login = await ordinaryLogin();
  });
  controlConformance(() => startTestControl(undefined, login));

  test('the login is no superuser, makes no roles and passes no policy by; outside of a scope it sees nothing, though it owns the tables', async () => {
    const client = new Client({ connectionString: login });
    await client.connect();
    const { rows } = await client.query(
      'SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user',
    );
    expect(rows).toEqual([{ rolsuper: false, rolbypassrls: false, rolcreaterole: false, rolcreatedb: false }]);
    for (const table of ['tenants', 'api_keys', 'outbox', 'leases', 'audit_log']) {
      expect({ table, rows: (await client.query(`SELECT 1 FROM ${table}`)).rowCount }).toEqual({ table, rows: 0 });
    }
    await client.end();
  });
});

describe('a PostgreSQL server under load', () => {
  let own: LocalPostgresServer;
  beforeAll(() => {
    own = startByScript();
  });
  afterAll(() => own.stop());
  const open = (over: { connections?: number; waitMs?: number } = {}) =>
    createControl({
      connection: { kind: 'postgres', url: own.url.href, ...over },
      logger: pino({ level: 'silent' }),
    });

  test('that goes away and comes back is unavailable meanwhile and recovers without hands; nothing acknowledged is lost', async () => {
    const control = open();
    await control.start();
    const acknowledged: string[] = [];
    const codes = new Set<string>();
    let number = 0;
    let ended = false;
    const writer = async () => {
      while (!ended) {
        number += 1;
        const id = `load-${number}`;
        try {
          await control.mutate(testActor, { kind: 'global' }, async (tx) => {
            await insertTenant(tx, id);
            return {
              result: null,
              audit: { action: 'tenant.create', resource: id, tenantId: id },
              events: { type: 'tenant.suspended', tenantId: id, data: { before: 'active', after: 'suspended' } },
            };
          });
          acknowledged.push(id);
        } catch (error) {
          const { code, retryable } = error as { code?: string; retryable?: boolean };
          codes.add(`${code} ${retryable}`);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    };
    const writers = Array.from({ length: 16 }, writer);
    await expect.poll(() => acknowledged.length).toBeGreaterThan(50);
    own.down();
    await expect.poll(() => codes.size).toBeGreaterThan(0);
    const before = acknowledged.length;
    await new Promise((resolve) => setTimeout(resolve, 500));
    own.up();
    await expect.poll(() => acknowledged.length, { timeout: 10_000 }).toBeGreaterThan(before + 50);
    ended = true;
    await Promise.all(writers);
    expect([...codes]).toEqual(['control.unavailable true']);
    const { tenants, events } = await control.read({ kind: 'global' }, async (tx) => ({
      tenants: (await tx.selectFrom('tenants').select('id').execute()).map(({ id }) => id),
      events: (await tx.selectFrom('outbox').select('tenant_id').execute()).map(({ tenant_id }) => tenant_id),
    }));
    const stored = new Set(tenants);
    expect(acknowledged.filter((id) => !stored.has(id))).toEqual([]);
    // A change and its event stand together or not at all.
    expect([...events].sort()).toEqual([...tenants].sort());
    await control.stop();
  });

  test('whose connections are all in use makes callers wait, then answers unavailable; leases are renewed all the same', async () => {
    const control = open({ connections: 2, waitMs: 300 });
    await control.start();
    const table = control.leaseTable({ leaseMs: 60_000 });
    const { taken } = await table.round([], ['busy']);
    const hold = () => control.read({ kind: 'global' }, (tx) => sql`SELECT pg_sleep(1.2)`.execute(tx));
    const holding = [hold(), hold()];
    await new Promise((resolve) => setTimeout(resolve, 100));
    const began = performance.now();
    expect((await table.round(taken, [])).renewed).toEqual(taken);
    expect(performance.now() - began).toBeLessThan(250);
    await expect(control.read({ kind: 'global' }, async () => null)).rejects.toMatchObject({
      code: 'control.unavailable',
      status: 503,
      retryable: true,
    });
    await Promise.all(holding);
    expect(await control.read({ kind: 'global' }, async () => 'served')).toBe('served');
    await control.stop();
  });

  test('that no packet reaches any more is given up, and asked again over a new connection', async () => {
    const sockets = new Set<Socket>();
    const proxy = createServer((near) => {
      const far = connect(Number(own.url.port), '127.0.0.1');
      for (const socket of [near, far]) socket.on('error', () => undefined);
      near.pipe(far).pipe(near);
      sockets.add(near).add(far);
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const url = Object.assign(new URL(own.url), { port: String((proxy.address() as AddressInfo).port) }).href;
    const control = createControl({
      connection: { kind: 'postgres', url, silenceMs: 400 },
      logger: pino({ level: 'silent' }),
    });
    await control.start();
    const names = () => control.read({ kind: 'global' }, (tx) => tx.selectFrom('tenants').select('id').execute());
    await names();
    // What is open goes dark without an end; what is opened anew gets through.
    for (const socket of sockets) socket.unpipe().pause();
    const began = performance.now();
    await expect(names()).rejects.toMatchObject({ code: 'control.unavailable', retryable: true });
    expect(performance.now() - began).toBeLessThan(3000);
    expect((await names()).length).toBeGreaterThan(0);
    for (const socket of sockets) socket.destroy();
    await control.stop();
    proxy.close();
  });

  test('ends a statement that takes too long, a wait for a lock and a transaction that stands still', async () => {
    const control = open();
    await control.start();
    const settings = await control.read({ kind: 'global' }, (tx) =>
      sql<{ name: string; setting: string }>`SELECT name, setting FROM pg_settings
        WHERE name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout') ORDER BY name`.execute(
        tx,
      ),
    );
    expect(settings.rows.map(({ setting }) => setting)).toEqual(['15000', '25000', '30000']);
    await expect(
      control.read({ kind: 'global' }, async (tx) => {
        await sql`SET LOCAL statement_timeout = 50`.execute(tx);
        return sql`SELECT pg_sleep(5)`.execute(tx);
      }),
    ).rejects.toMatchObject({ code: 'control.timeout', retryable: true });
    await expect(
      control.read({ kind: 'global' }, async (tx) => {
        await sql`SET LOCAL idle_in_transaction_session_timeout = 50`.execute(tx);
        await new Promise((resolve) => setTimeout(resolve, 300));
        return sql`SELECT 1`.execute(tx);
      }),
    ).rejects.toMatchObject({ code: 'control.unavailable', retryable: true });
    await control.stop();
  });
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
