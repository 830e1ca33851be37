import { type FastifyInstance, fastify, type InjectOptions, type LightMyRequestResponse } from 'fastify';
import { beforeEach, expect, test } from 'vitest';
import { Tenant, type TenantRecord, type TenantState, toProblem } from '../contract/index.ts';
import { accessPlugin, declaredRoutes } from './access-plugin.ts';
import { accessMatrix, judgeAnswer } from './matrix.ts';
import type { Access, Principal, RoutePermission, TenantDirectory } from './port.ts';

const tokens: Readonly<Record<string, Principal>> = {
  'operator-token': { role: 'operator', id: 'operator', tenantId: null, partnerId: null, scopes: [] },
  'alpha-token': { role: 'tenant', id: 'key:1', tenantId: 'alpha', partnerId: null, scopes: [] },
  'suspended-token': { role: 'tenant', id: 'key:2', tenantId: 'suspended', partnerId: null, scopes: [] },
  'cancelled-token': { role: 'tenant', id: 'key:3', tenantId: 'cancelled', partnerId: null, scopes: [] },
  'partner-token': { role: 'partner', id: 'person:1', tenantId: null, partnerId: 'north', scopes: [] },
};
const access: Access = { authenticate: async (token) => tokens[token] ?? null };

const tenant = (id: string, number: number, state: TenantState, partnerId: string | null): TenantRecord => ({
  ...Tenant.parse({
    ...{ id, name: id, tier: 'small', plan: 'basic', region: 'eu', currency: 'EUR', timeZone: 'UTC' },
    ...{ partnerId, state, createdAt: '2026-01-01T00:00:00.000Z' },
  }),
  number,
});
const all = [
  tenant('alpha', 1, 'active', 'north'),
  tenant('beta', 2, 'active', 'south'),
  tenant('suspended', 3, 'suspended', null),
  tenant('cancelled', 4, 'cancelled', null),
];
const tenants: TenantDirectory = {
  byId: (id) => all.find((candidate) => candidate.id === id),
  byNumber: (number) => all.find((candidate) => candidate.number === number),
  list: () => all,
  refresh: async () => undefined,
};

async function createTestApp(extra?: (app: FastifyInstance) => void): Promise<FastifyInstance> {
  const app = fastify();
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error, request.correlationId);
    return reply.code(problem.status).type('application/problem+json').send(problem);
  });
  app.register(accessPlugin({ access, tenants }));
  app.register(async (scope) => {
    const route = (method: 'GET' | 'POST', url: string, permission: RoutePermission) =>
      scope.route({
        method,
        url,
        config: { permission },
        handler: async (request) => ({
          tenant: request.tenant?.id ?? null,
          scope: request.rowScope,
          actor: request.principal?.id ?? null,
        }),
      });
    route('GET', '/open', 'public');
    route('GET', '/sla', { resource: 'analytics', action: 'read', tenant: 'query' });
    route('GET', '/tenants/:id', { resource: 'tenants', action: 'read', tenant: 'params.id' });
    route('GET', '/entitlements/:tenantId', { resource: 'plugins', action: 'read', tenant: 'params.tenantId' });
    route('POST', '/metrics', { resource: 'telemetry', action: 'write', tenant: 'credential' });
    route('POST', '/plugins', { resource: 'plugins', action: 'write', tenant: 'query' });
    route('GET', '/decisions/:id', { resource: 'decisions', action: 'read', tenant: 'resource' });
    route('GET', '/audit', { resource: 'audit', action: 'read', tenant: 'none' });
    route('GET', '/session', { resource: 'session', action: 'read', tenant: 'none' });
    extra?.(scope as FastifyInstance);
  });
  await app.ready();
  return app;
}

let app: FastifyInstance;
beforeEach(async () => {
  app = await createTestApp();
});

const call = (
  token: string | null,
  method: 'GET' | 'POST' | 'HEAD',
  url: string,
  headers: Record<string, string> = {},
) =>
  app.inject({ method, url, headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers } });
const codeOf = (response: LightMyRequestResponse) => [response.statusCode, response.json().code];

test('a route without a permission cannot be registered', async () => {
  await expect(createTestApp((scope) => scope.get('/forgotten', async () => 'open'))).rejects.toMatchObject({
    code: 'access.permission_missing',
    message: expect.stringContaining('/forgotten'),
  });
});

test('a route that was registered before the plugin is refused, not open', async () => {
  const early = fastify();
  early.get('/early', async () => 'secret');
  early.register(accessPlugin({ access, tenants }));
  const response = await early.inject({ url: '/early', headers: { authorization: 'Bearer operator-token' } });
  expect(response.statusCode).toBe(500);
  expect(response.body).not.toContain('secret');
});

test.each([null, 'unknown', 'alpha-token extra', ''])(
  'without a valid bearer token (%s) the answer is 401 with a challenge',
  async (token) => {
    const response = await call(token, 'GET', '/sla');
    expect(codeOf(response)).toEqual([401, 'access.unauthenticated']);
    expect(response.headers['www-authenticate']).toBe('Bearer');
  },
);

test('the automatic HEAD route is guarded like its GET', async () => {
  expect((await call(null, 'HEAD', '/sla')).statusCode).toBe(401);
  expect((await call('alpha-token', 'HEAD', '/sla')).statusCode).toBe(200);
});

test('a public route and an unknown path ask for no token', async () => {
  expect((await call(null, 'GET', '/open')).statusCode).toBe(200);
  expect((await call(null, 'GET', '/nowhere')).statusCode).toBe(404);
});

test('a foreign and an unknown tenant get the same answer', async () => {
  for (const [known, unknown] of [
    ['/sla?tenant=beta', '/sla?tenant=nobody'],
    ['/tenants/beta', '/tenants/nobody'],
    ['/entitlements/beta', '/entitlements/nobody'],
  ] as const) {
    const [foreign, missing] = [await call('alpha-token', 'GET', known), await call('alpha-token', 'GET', unknown)];
    expect(codeOf(foreign)).toEqual([403, 'access.forbidden']);
    const withoutId = (response: LightMyRequestResponse) => ({ ...response.json(), correlationId: '' });
    expect(withoutId(foreign)).toEqual(withoutId(missing));
  }
  expect(codeOf(await call('operator-token', 'GET', '/tenants/nobody'))).toEqual([403, 'access.forbidden']);
});

test('a tenant key means its own tenant and sees its own rows', async () => {
  const own = { tenant: 'alpha', scope: { kind: 'tenant', tenantId: 'alpha' }, actor: 'key:1' };
  for (const url of ['/sla', '/sla?tenant=alpha', '/tenants/alpha', '/decisions/d1', '/session']) {
    expect((await call('alpha-token', 'GET', url)).json()).toEqual(own);
  }
  expect((await call('alpha-token', 'POST', '/metrics')).json()).toEqual(own);
});

test('a partner reaches its own tenants only, and the resources of its role only', async () => {
  expect((await call('partner-token', 'GET', '/sla?tenant=alpha')).json().tenant).toBe('alpha');
  expect((await call('partner-token', 'GET', '/sla')).json().scope).toEqual({ kind: 'partner', partnerId: 'north' });
  expect(codeOf(await call('partner-token', 'GET', '/sla?tenant=beta'))).toEqual([403, 'access.forbidden']);
  expect(codeOf(await call('partner-token', 'GET', '/decisions/d1'))).toEqual([403, 'access.forbidden']);
});

test('the operator sees everything, and narrows to the tenant it names', async () => {
  expect((await call('operator-token', 'GET', '/sla')).json().scope).toEqual({ kind: 'global' });
  expect((await call('operator-token', 'GET', '/sla?tenant=beta')).json().scope).toEqual({
    kind: 'tenant',
    tenantId: 'beta',
  });
  expect(codeOf(await call('operator-token', 'POST', '/metrics'))).toEqual([403, 'access.no_tenant']);
});

test('a tenant key may not do what its role does not list', async () => {
  expect(codeOf(await call('alpha-token', 'GET', '/audit'))).toEqual([403, 'access.forbidden']);
  expect(codeOf(await call('alpha-token', 'POST', '/plugins'))).toEqual([403, 'access.forbidden']);
});

test('a suspended tenant sends and reads; a cancelled one only reads', async () => {
  expect((await call('suspended-token', 'POST', '/metrics')).statusCode).toBe(200);
  expect((await call('suspended-token', 'GET', '/sla')).statusCode).toBe(200);
  expect((await call('cancelled-token', 'GET', '/sla')).statusCode).toBe(200);
  expect(codeOf(await call('cancelled-token', 'POST', '/metrics'))).toEqual([403, 'access.tenant_cancelled']);
});

test('two tenants in one query are refused', async () => {
  expect(codeOf(await call('alpha-token', 'GET', '/sla?tenant=alpha&tenant=beta'))).toEqual([
    400,
    'access.tenant_ambiguous',
  ]);
});

test('a harmless correlation id is kept and echoed, another one replaced', async () => {
  expect((await call(null, 'GET', '/open', { 'x-correlation-id': 'abc-1' })).headers['x-correlation-id']).toBe('abc-1');
  const replaced = (await call(null, 'GET', '/open', { 'x-correlation-id': 'a b<script>' })).headers[
    'x-correlation-id'
  ];
  expect(replaced).toMatch(/^[0-9a-f-]{36}$/);
});

const setup = {
  own: 'alpha',
  foreign: 'beta',
  tokens: { operator: 'operator-token', tenant: 'alpha-token', partner: 'partner-token' },
} as const;

async function runMatrix(target: FastifyInstance): Promise<{ cases: number; faults: string[] }> {
  const cases = accessMatrix(declaredRoutes(target), setup);
  const faults: string[] = [];
  for (const one of cases) {
    const response = await target.inject(one.request as InjectOptions);
    const fault = judgeAnswer(one, response.statusCode);
    if (fault !== null) faults.push(fault);
  }
  return { cases: cases.length, faults };
}

test('the matrix of every role, route and foreign tenant holds', async () => {
  const { cases, faults } = await runMatrix(app);
  expect(faults).toEqual([]);
  expect(cases).toBeGreaterThanOrEqual(8 * 7);
});

test('the matrix finds a route that lets a foreign tenant through', async () => {
  const leaky = fastify();
  leaky.register(
    accessPlugin({
      access: { authenticate: async (token) => tokens[token === 'alpha-token' ? 'operator-token' : token] ?? null },
      tenants,
    }),
  );
  leaky.register(async (scope) => {
    scope.get(
      '/leak',
      { config: { permission: { resource: 'analytics', action: 'read', tenant: 'query' } } },
      async () => 'rows',
    );
  });
  await leaky.ready();
  const { faults } = await runMatrix(leaky);
  expect(faults).toContain('GET /leak: tenant, foreign tenant in the query: must be refused, answered 200');
});
