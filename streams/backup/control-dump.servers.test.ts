import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type ClientBase } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyAudit } from '../control/audit.ts';
import { createControl, type KyselyControl } from '../control/kysely-control.ts';
import { createClient } from '../control/pg-pool.ts';
import { createPgliteServer } from '../control/pglite-server.ts';
import { copyEmptyControl } from '../control/test-cluster.ts';
import { insertTenant, startTestControl, testActor } from '../control/test-control.ts';
import { startPostgresServer, type TestPostgresServer } from '../control/test-postgres-server.ts';
import { silentLogger } from '../store/store-fixture.ts';
import { dumpControl, loadControl } from './control-dump.ts';

const home = mkdtempSync(join(tmpdir(), 'pulse-dump-'));
let server: TestPostgresServer;

beforeAll(async () => {
  server = await startPostgresServer();
});
afterAll(async () => {
  await server.stop();
  rmSync(home, { recursive: true, force: true });
});

async function newDatabase(name: string): Promise<string> {
  const client = new Client({ connectionString: server.url.href });
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  return Object.assign(new URL(server.url), { pathname: `/${name}` }).href;
}

async function load(client: ClientBase & { connect(): Promise<unknown>; end(): Promise<void> }, dump: Dumped) {
  await client.connect();
  try {
    await loadControl(client, dump.manifest, dump.lines);
  } finally {
    await client.end();
  }
}

interface Dumped {
  readonly manifest: Awaited<ReturnType<typeof dumpControl>>;
  readonly lines: readonly string[];
}

async function dump(control: KyselyControl): Promise<Dumped> {
  const lines: string[] = [];
  return { manifest: await dumpControl(control, (line) => lines.push(line)), lines };
}

/** Opens, dumps, checks the chain and gives the next number. */
async function look(connection: Parameters<typeof createControl>[0]['connection']) {
  const control = createControl({ connection, logger: silentLogger });
  await control.start();
  try {
    const dumped = await dump(control);
    const audit = await verifyAudit(control);
    await control.mutate(testActor, { kind: 'global' }, async (tx) => {
      await insertTenant(tx, 'next');
      return { result: null, audit: { action: 'tenant.create', resource: 'next', tenantId: 'next' } };
    });
    const next = await control.read({ kind: 'global' }, (tx) =>
      tx.selectFrom('tenants').select('number').where('id', '=', 'next').executeTakeFirstOrThrow(),
    );
    return { dumped, audit, next: next.number };
  } finally {
    await control.stop();
  }
}

test('a dump is the same bytes from PGlite and from PostgreSQL, whichever it was made from and restored into', async () => {
  const source = await startTestControl();
  let original: Dumped;
  try {
    for (const id of ['beta', 'alpha']) {
      await source.control.mutate(testActor, { kind: 'global' }, async (tx) => {
        await insertTenant(tx, id);
        const document = JSON.stringify({
          text: 'Ünïcode "quoted" \\ back',
          big: 12345678901234567890n.toString(),
          n: 1e-7,
        });
        const proposed = {
          id: `d-${id}`,
          tenant_id: id,
          kind: 'scale',
          idempotency_key: id,
          proposed_at: '2026-11-21T01:02:03.004Z',
        };
        await tx
          .insertInto('decisions')
          .values({ ...proposed, document })
          .execute();
        return { result: null, audit: { action: 'tenant.create', resource: id, tenantId: id, after: { id } } };
      });
    }
    original = await dump(source.control);
  } finally {
    await source.end();
  }
  const url = await newDatabase('restored');
  await load(createClient({ connectionString: url }), original);
  const onServer = await look({ kind: 'postgres', url });
  expect(onServer.dumped).toEqual(original);
  expect(onServer.audit).toMatchObject({ ok: true, records: 2 });
  expect(onServer.next).toBe(3);

  const dir = join(home, 'control');
  await copyEmptyControl(dir);
  const pglite = createPgliteServer({ dir });
  try {
    await load(createClient(await pglite.start()), onServer.dumped);
  } finally {
    await pglite.stop();
  }
  const back = await look({ kind: 'pglite', dir });
  expect(back.dumped).toEqual(original);
  expect(back.next).toBe(3);
});

test('a database that has been used is refused and stays as it is', async () => {
  const url = await newDatabase('used');
  const first = await look({ kind: 'postgres', url });
  await expect(load(createClient({ connectionString: url }), first.dumped)).rejects.toMatchObject({
    code: 'backup.target_not_empty',
  });
  const control = createControl({ connection: { kind: 'postgres', url }, logger: silentLogger });
  await control.start();
  expect((await dump(control)).manifest.audit.records).toBe(1);
  await control.stop();
});
