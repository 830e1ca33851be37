import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { type FastifyInstance, fastify } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NewApiKey, toProblem } from '../contract/index.ts';
import { auditRoutes } from '../control/audit-http.ts';
import type { KyselyControl } from '../control/kysely-control.ts';
import { insertTenant, startTestControl, testActor } from '../control/test-control.ts';
import { accessPlugin } from './access-plugin.ts';
import { createApiKey } from './api-key.ts';
import { type ControlAccess, createControlAccess } from './control-access.ts';
import { accessRoutes } from './http.ts';
import { openOperatorToken } from './operator-token.ts';
import type { TenantDirectory } from './port.ts';
import { createTenantDirectory } from './tenant-directory.ts';

let now = Date.parse('2026-11-21T10:00:00.000Z');
const clock = { now: () => now };
let control: KyselyControl;
let dir: string;
let end: () => Promise<void>;
let access: ControlAccess;
let tenants: TenantDirectory;
let app: FastifyInstance;
let operator: string;

beforeAll(async () => {
  ({ control, dir, end } = await startTestControl(clock));
  for (const id of ['alpha', 'beta']) {
    await control.mutate(testActor, { kind: 'global' }, async (tx) => {
      await insertTenant(tx, id);
      return { result: null, audit: { action: 'tenant.create', resource: id, tenantId: id } };
    });
  }
  access = createControlAccess({ control, clock });
  tenants = createTenantDirectory(control);
  await tenants.refresh();
  operator = openOperatorToken(dir).token;
  access.setOperatorToken(operator);
  app = fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => {
    const known = (error as { validation?: unknown }).validation
      ? Object.assign(error as Error, { status: 400 })
      : error;
    const problem = toProblem(known, request.correlationId);
    return reply
      .code((error as { validation?: unknown }).validation ? 400 : problem.status)
      .serializer(JSON.stringify)
      .send(problem);
  });
  app.register(accessPlugin({ access, tenants }));
  app.register(accessRoutes({ control, access, tenants, clock }));
  app.register(auditRoutes({ control }));
  await app.ready();
});
afterAll(async () => {
  await app.close();
  await end();
});

const call = (token: string, method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) =>
  app.inject({
    method,
    url,
    headers: { authorization: `Bearer ${token}` },
    ...(payload === undefined ? {} : { payload }),
  });
const keys = '/api/v1/tenants/alpha/api-keys';
const create = async (body: object = {}) => {
  const response = await call(operator, 'POST', keys, body);
  expect(response.statusCode).toBe(201);
  return response.json() as { id: string; apiKey: string; prefix: string };
};

/** Another process revokes a key: this one's cache is told nothing. */
const revokeElsewhere = (id: string) =>
  control.mutate(testActor, { kind: 'global' }, async (tx) => {
    await tx
      .updateTable('api_keys')
      .set({ revoked_at: new Date(now).toISOString() })
      .where('id', '=', id)
      .execute();
    return { result: null, audit: { action: 'api_key.revoke', resource: id, tenantId: 'alpha' } };
  });

/** An access of its own, and how often it has read the control plane. */
function countingAccess() {
  let reads = 0;
  const counting = createControlAccess({
    control: {
      ...control,
      read(scope, run) {
        reads += 1;
        return control.read(scope, run);
      },
    },
    clock,
  });
  return { counting, reads: () => reads };
}

test('a key is shown once, stored as a hash, and works at once', async () => {
  const created = await create({ name: 'first', scopes: ['backfill'] });
  expect(created.apiKey).toMatch(/^pk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$/);
  const row = await control.read({ kind: 'global' }, (tx) =>
    tx.selectFrom('api_keys').selectAll().where('id', '=', created.id).executeTakeFirstOrThrow(),
  );
  expect(JSON.stringify(row)).not.toContain(created.apiKey.slice(16));
  const listed = await call(operator, 'GET', keys);
  expect(listed.json().items).toHaveLength(1);
  expect(listed.body).not.toContain('hash');
  expect(await access.authenticate(created.apiKey)).toEqual({
    ...{ role: 'tenant', id: `key:${created.id}`, tenantId: 'alpha', partnerId: null, scopes: ['backfill'] },
  });
  const session = await call(created.apiKey, 'GET', '/api/v1/session');
  expect(session.json()).toEqual({
    ...{ role: 'tenant', tenantId: 'alpha', partnerId: null, tenants: [{ id: 'alpha', name: 'alpha' }] },
  });
});

test('a revoked key stops at once although it was remembered, and a second revocation changes nothing', async () => {
  const { id, apiKey } = await create();
  expect((await call(apiKey, 'GET', '/api/v1/session')).statusCode).toBe(200);
  const revoked = await call(operator, 'DELETE', `${keys}/${id}`);
  expect(revoked.json().revokedAt).toBe(new Date(now).toISOString());
  expect((await call(apiKey, 'GET', '/api/v1/session')).statusCode).toBe(401);
  now += 1000;
  expect((await call(operator, 'DELETE', `${keys}/${id}`)).json().revokedAt).toBe(revoked.json().revokedAt);
});

test('a key revoked by another process works 5 s longer at most', async () => {
  const { id, apiKey } = await create();
  expect(await access.authenticate(apiKey)).not.toBeNull();
  await revokeElsewhere(id);
  expect(await access.authenticate(apiKey)).not.toBeNull();
  now += 5000;
  expect(await access.authenticate(apiKey)).toBeNull();
});

test('a key ends at its expiry to the millisecond, and one that would have ended already is refused', async () => {
  const expiresAt = new Date(now + 3000).toISOString();
  const { apiKey } = await create({ expiresAt });
  now += 2999;
  expect(await access.authenticate(apiKey)).not.toBeNull();
  now += 1;
  expect(await access.authenticate(apiKey)).toBeNull();
  const late = await call(operator, 'POST', keys, { expiresAt });
  expect([late.statusCode, late.json().code, late.json().field]).toEqual([400, 'access.expiry_past', 'body.expiresAt']);
});

test('a good key is looked up once while it is remembered', async () => {
  const { apiKey } = await create();
  const { counting, reads } = countingAccess();
  await Promise.all(Array.from({ length: 20 }, () => counting.authenticate(apiKey)));
  for (let index = 0; index < 20; index += 1) await counting.authenticate(apiKey);
  expect(reads()).toBe(1);
});

test('keys in use are renewed together: any number of senders costs one read in half of five seconds', async () => {
  const created = await Promise.all(Array.from({ length: 30 }, () => create()));
  const { counting, reads } = countingAccess();
  const sweep = async () => {
    for (const { apiKey } of created) expect(await counting.authenticate(apiKey)).not.toBeNull();
  };
  await sweep();
  const first = reads();
  for (let second = 0; second < 60; second += 1) {
    now += 1000;
    await sweep();
  }
  expect(reads() - first).toBeLessThanOrEqual(24);
  // Renewal along with others ends a key like any other look does.
  const [gone, ...rest] = created;
  await revokeElsewhere(gone?.id ?? '');
  now += 5000;
  expect(await counting.authenticate(rest[0]?.apiKey ?? '')).not.toBeNull();
  expect(await counting.authenticate(gone?.apiKey ?? '')).toBeNull();
});

test('a key with the right prefix and another secret is nobody', async () => {
  const { apiKey } = await create();
  const forged = `${apiKey.slice(0, 16)}${'A'.repeat(43)}`;
  expect(await access.authenticate(forged)).toBeNull();
  for (const token of ['', 'pk_', 'op_x', apiKey.slice(0, -1), `${apiKey}x`])
    expect(await access.authenticate(token)).toBeNull();
});

test('a lookup that began before a revocation does not bring the key back', async () => {
  const { id, apiKey } = await create();
  let hold: (() => void) | undefined;
  const held = new Promise<void>((resolve) => {
    hold = resolve;
  });
  const slow = createControlAccess({
    control: {
      ...control,
      async read(scope, run) {
        const result = await control.read(scope, run);
        await held;
        return result;
      },
    },
    clock,
  });
  const racing = slow.authenticate(apiKey);
  await call(operator, 'DELETE', `${keys}/${id}`);
  slow.forget(id);
  hold?.();
  await racing;
  expect(await slow.authenticate(apiKey)).toBeNull();
});

test('a tenant key reaches no keys, and the keys of another tenant are not found under this one', async () => {
  const { id, apiKey } = await create();
  expect((await call(apiKey, 'GET', keys)).statusCode).toBe(403);
  expect((await call(apiKey, 'DELETE', `${keys}/${id}`)).statusCode).toBe(403);
  const elsewhere = await call(operator, 'DELETE', `/api/v1/tenants/beta/api-keys/${id}`);
  expect([elsewhere.statusCode, elsewhere.json().code]).toEqual([404, 'access.key_unknown']);
});

test('every change of a key is in the audit log, without the secret', async () => {
  const { id, apiKey } = await create({ name: 'audited' });
  await call(operator, 'DELETE', `${keys}/${id}`);
  const listed = await call(operator, 'GET', '/api/v1/audit?tenant=alpha&limit=2');
  expect(listed.json().items.map((item: { action: string; resource: string }) => [item.action, item.resource])).toEqual(
    [
      ['api_key.revoke', `api_key:${id}`],
      ['api_key.create', `api_key:${id}`],
    ],
  );
  expect(listed.body).not.toContain(apiKey);
  const next = await call(operator, 'GET', `/api/v1/audit?tenant=alpha&limit=2&cursor=${listed.json().nextCursor}`);
  expect(Number(next.json().items[0].seq)).toBeLessThan(Number(listed.json().nextCursor));
  expect((await call(operator, 'GET', '/api/v1/audit/verify')).json()).toMatchObject({ ok: true, firstBroken: null });
  expect((await call(apiKey, 'GET', '/api/v1/audit')).statusCode).toBe(401);
  expect((await call(operator, 'GET', '/api/v1/audit?cursor=x')).json().code).toBe('control.cursor_invalid');
});

test('a key can be made inside another mutation and goes with it when that rolls back', async () => {
  let apiKey = '';
  const attempt = control.mutate(testActor, { kind: 'global' }, async (tx) => {
    await insertTenant(tx, 'gamma');
    apiKey = (await createApiKey(tx, 'gamma', NewApiKey.parse({}))).apiKey;
    throw new Error('changed my mind');
  });
  await expect(attempt).rejects.toThrow('changed my mind');
  expect(await access.authenticate(apiKey)).toBeNull();
});

test('the directory sees a change once refreshed', async () => {
  await control.mutate(testActor, { kind: 'global' }, async (tx) => {
    await insertTenant(tx, 'delta');
    return { result: null, audit: { action: 'tenant.create', resource: 'delta', tenantId: 'delta' } };
  });
  expect(tenants.byId('delta')).toBeUndefined();
  await Promise.all([tenants.refresh(), tenants.refresh(), tenants.refresh()]);
  const delta = tenants.byId('delta');
  expect(delta).toMatchObject({ id: 'delta', state: 'active', currency: 'USD' });
  expect(tenants.byNumber(delta?.number ?? 0)).toBe(delta);
});

test('the operator token is made once, mode 0600, and a spoilt file is refused and kept', async () => {
  const first = openOperatorToken(dir);
  expect(first.created).toBe(false);
  expect(first.token).toBe(operator);
  expect(statSync(first.path).mode & 0o777).toBe(0o600);
  expect((await access.authenticate(operator))?.role).toBe('operator');
  writeFileSync(first.path, 'spoilt');
  expect(() => openOperatorToken(dir)).toThrow(expect.objectContaining({ code: 'access.operator_token_invalid' }));
  expect(readFileSync(first.path, 'utf8')).toBe('spoilt');
});
