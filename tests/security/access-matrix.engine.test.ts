import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { accessMatrix, type DeclaredRoute, declaredRoutes, judgeAnswer } from 'streams/access';
import { encodeOtlp } from 'streams/otlp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type InProcess, partnerId, partnerToken, startInProcess } from './testing/in-process.ts';

const actor = { id: 'test', correlationId: 'test' };
const root = join(import.meta.dirname, '../..');
/** Stands in everything that belongs to the foreign tenant: no answer to anybody else may hold it. */
const marker = 'belongs-to-beta';
const traceId = '0af7651916cd43dd8448eb211c80319c';
const month = () => new Date().toISOString().slice(0, 7);

let pulse: InProcess;
let http: FastifyInstance;
let otlp: FastifyInstance;
let alphaKey: string;
let betaKey: string;
/** Objects of beta that a route can name. */
const betaObjects: { decisions: string; invoices: string; lines: string; keys: string } = {
  ...{ decisions: '', invoices: '', lines: '', keys: '' },
};

type Body = Readonly<Record<string, unknown>>;
const get = (url: string, token: string, headers: Readonly<Record<string, string>> = {}) =>
  http.inject({ method: 'GET', url, headers: { authorization: `Bearer ${token}`, ...headers } });
const post = (app: FastifyInstance, url: string, token: string, payload: Body | readonly Body[], headers = {}) =>
  app.inject({ method: 'POST', url, payload, headers: { authorization: `Bearer ${token}`, ...headers } });

async function until<T>(ask: () => Promise<T>, satisfied: (answer: T) => boolean): Promise<T> {
  for (const end = Date.now() + 30_000; ; ) {
    const answer = await ask();
    if (satisfied(answer)) return answer;
    if (Date.now() > end) throw new Error(`not satisfied: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const range = () =>
  `start=${new Date(Date.now() - 7_200_000).toISOString()}&end=${new Date(Date.now() + 600_000).toISOString()}`;
const countsOf = async (tenant: string) =>
  (await get(`/api/v1/telemetry/counts?tenant=${tenant}&${range()}`, pulse.operatorToken)).json<
    Record<'points' | 'spans' | 'logRecords' | 'usageEvents', number>
  >();

const nanos = () => `${BigInt(Date.now()) * 1_000_000n}`;
/** A gauge point as OTLP/JSON; `resource` = attributes of its resource. */
const gauge = (name: string, resource: Readonly<Record<string, string>> = {}, atNanos = nanos()) => ({
  resourceMetrics: [
    {
      resource: {
        attributes: Object.entries(resource).map(([key, value]) => ({ key, value: { stringValue: value } })),
      },
      scopeMetrics: [{ metrics: [{ name, gauge: { dataPoints: [{ timeUnixNano: atNanos, asDouble: 1 }] } }] }],
    },
  ],
});
const event = (id: string, extra: Body = {}) => ({
  ...{ specversion: '1.0', id, source: 'urn:test', type: 'api_calls', subject: marker, data: { value: '200000' } },
  ...{ time: new Date().toISOString(), ...extra },
});

async function createTenant(id: string, partner: string | null): Promise<string> {
  const answer = await post(http, '/api/v1/tenants', pulse.operatorToken, {
    ...{ id, name: id === 'beta' ? marker : id, partnerId: partner },
  });
  expect(answer.statusCode, answer.body).toBe(201);
  return answer.json<{ apiKey: string }>().apiKey;
}

/** Gives beta one of everything. */
async function fillBeta(): Promise<void> {
  const at = nanos();
  const ids = { traceId, spanId: '00f067aa0ba902b7' };
  const spans = [{ ...ids, name: marker, startTimeUnixNano: at, endTimeUnixNano: at }];
  const logRecords = [{ timeUnixNano: at, body: { stringValue: marker } }];
  const answers = [
    await post(otlp, '/v1/metrics', betaKey, gauge(marker)),
    await post(otlp, '/v1/traces', betaKey, { resourceSpans: [{ scopeSpans: [{ spans }] }] }),
    await post(otlp, '/v1/logs', betaKey, { resourceLogs: [{ scopeLogs: [{ logRecords }] }] }),
    await post(http, '/api/v1/plugins/usage-events', betaKey, event(marker)),
  ];
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 200]);
  await until(
    () => countsOf('beta'),
    (counts) => counts.points + counts.spans + counts.logRecords + counts.usageEvents === 4,
  );
  const now = Date.now();
  const decision = {
    ...{ id: 'decision-of-beta', tenantId: 'beta', kind: 'scale', reason: marker, policyVersion: '1' },
    ...{ counterfactual: '', idempotencyKey: 'beta/1', proposedAt: new Date(now).toISOString() },
    action: { name: 'change_tier', parameters: { tier: 'medium' } },
    evidence: { query: marker, parameters: {}, values: {}, freshAsOf: new Date(now).toISOString(), link: '/' },
    expiresAt: new Date(now + 3_600_000).toISOString(),
  };
  const payload = Buffer.from(JSON.stringify(decision));
  await pulse.services.log.append('decisions', [{ key: 'beta', headers: {}, payload }]);
  betaObjects.decisions = decision.id;
  await until(
    async () => (await get(`/api/v1/decisions/${decision.id}`, pulse.operatorToken)).statusCode,
    (status) => status === 200,
  );
  const invoices = await get(`/api/v1/billing/invoices?tenant=beta&period=${month()}`, pulse.operatorToken);
  const [invoice] = invoices.json<{ items: { id: string; lines: { id: string }[] }[] }>().items;
  betaObjects.invoices = invoice?.id ?? '';
  betaObjects.lines = invoice?.lines[0]?.id ?? '';
  const keys = await get('/api/v1/tenants/beta/api-keys', pulse.operatorToken);
  betaObjects.keys = keys.json<{ items: { id: string }[] }>().items[0]?.id ?? '';
  expect(Object.values(betaObjects)).not.toContain('');
}

beforeAll(async () => {
  pulse = await startInProcess();
  ({ http, otlpHttp: otlp } = pulse.services);
  await pulse.services.control.mutate(actor, { kind: 'global' }, async (tx) => {
    await tx.insertInto('partners').values({ id: partnerId, name: 'One', tier: 'gold' }).execute();
    return { result: null, audit: { action: 'partner.create', resource: partnerId, tenantId: null } };
  });
  alphaKey = await createTenant('alpha', partnerId);
  betaKey = await createTenant('beta', null);
  // The matrix asks more often than a person: what is under test is who may ask, not how often.
  for (const tenant of ['alpha', 'beta']) {
    const url = `/api/v1/tenants/${tenant}/limits`;
    const headers = { authorization: `Bearer ${pulse.operatorToken}` };
    expect((await http.inject({ method: 'PATCH', url, headers, payload: { readsPerSecond: 10_000 } })).statusCode).toBe(
      200,
    );
  }
  await fillBeta();
});
afterAll(() => pulse?.stop());

/** Routes of exporters, which read their body as bytes. */
const isRaw = ({ url }: Pick<DeclaredRoute, 'url'>) => url.startsWith('/v1/') || url === '/api/v1/write';

test('the program under test is the program: the same modules as the composition root lists', () => {
  const listed = spawnSync(process.execPath, [join(root, 'main.ts'), '--list-modules'], { encoding: 'utf8' });
  const names = listed.stdout
    .split('\n\n')[0]
    ?.split('\n')
    .map((line) => line.split(' ')[0]);
  expect(pulse.moduleNames).toEqual(names);
});

test('what is open to everybody is this list and nothing else', () => {
  const open = [http, otlp].map((app) =>
    declaredRoutes(app)
      .filter(({ permission }) => permission === 'public')
      .map(({ method, url }) => `${method} ${url}`)
      .toSorted(),
  );
  const own = ['GET /healthz', 'GET /metrics', 'GET /readyz'];
  // Senders of CloudEvents ask without a credential whether they may deliver; the answer is the same for everybody.
  const webhooks = ['OPTIONS /api/v1/plugins/usage', 'OPTIONS /api/v1/plugins/usage-events'];
  expect(open).toEqual([['GET /', 'GET /api/openapi.json', 'GET /assets/*', ...own, ...webhooks].toSorted(), own]);
});

describe('a route without a permission', () => {
  test('keeps the program from starting', async () => {
    const careless = startInProcess({
      only: [],
      extra({ http: app }) {
        app.register(async (routes) => {
          routes.get('/api/v1/careless', async () => marker);
        });
      },
    });
    await expect(careless).rejects.toMatchObject({ code: 'access.permission_missing' });
  });

  test('that slipped in before the guard answers 500 and not its content', async () => {
    const early = await startInProcess({
      only: [],
      extra({ http: app }) {
        app.get('/api/v1/early', async () => marker);
      },
    });
    const answer = await early.services.http.inject({ url: '/api/v1/early' });
    await early.stop();
    expect([answer.statusCode, answer.body.includes(marker)]).toEqual([500, false]);
  });
});

/** Every route with an object in its path and a way to name beta's. */
const objectRoutes: readonly [string, string, () => string][] = [
  ['GET', '/api/v1/decisions/:id', () => `/api/v1/decisions/${betaObjects.decisions}`],
  ['GET', '/api/v1/billing/invoices/:id', () => `/api/v1/billing/invoices/${betaObjects.invoices}`],
  [
    'GET',
    '/api/v1/billing/invoices/:id/lines/:lineId/evidence',
    () => `/api/v1/billing/invoices/${betaObjects.invoices}/lines/${betaObjects.lines}/evidence`,
  ],
  ['GET', '/api/v1/telemetry/traces/:traceId', () => `/api/v1/telemetry/traces/${traceId}`],
];

describe("beta's own objects by their real names", () => {
  test.each(objectRoutes)(
    '%s %s: there for the operator, not there for another tenant',
    async (_method, _url, name) => {
      const url = name();
      const trace = url.includes('/traces/');
      const asOperator = await get(trace ? `${url}?tenant=beta` : url, pulse.operatorToken);
      expect(asOperator.statusCode, asOperator.body).toBe(200);
      for (const token of [alphaKey, partnerToken]) {
        const answer = await get(url, token);
        expect([403, 404], `${url} ${answer.body}`).toContain(answer.statusCode);
        expect(answer.body).not.toContain(marker);
      }
    },
  );

  test('lists of a tenant and of a partner hold nothing of it', async () => {
    const lists = declaredRoutes(http).filter(
      ({ method, url, permission }) => method === 'GET' && permission !== 'public' && !url.includes(':'),
    );
    const extra = `${range()}&period=${month()}&metric=${marker}&step=60s&aggregate=avg&traceId=${traceId}`;
    const seen: string[] = [];
    for (const { url } of lists) {
      const asOperator = await get(`${url}?tenant=beta&${extra}`, pulse.operatorToken);
      if (asOperator.statusCode === 200 && asOperator.body.includes(marker)) seen.push(url);
      for (const token of [alphaKey, partnerToken]) {
        // What the route is asked for by its own name may be echoed; the foreign tenant's rows may not.
        const answer = await get(`${url}?${extra.replace(`metric=${marker}`, 'metric=other')}`, token);
        expect(answer.body.includes(marker), `${url}: ${answer.body.slice(0, 500)}`).toBe(false);
      }
    }
    // The oracle sees: the same lists do show the marker to whom they may.
    expect(seen.length, seen.join(', ')).toBeGreaterThanOrEqual(5);
  });
});

/** Ways to name beta that a careless comparison, join or path would let through. */
const forgeries = [
  ...['beta', 'BETA', ' beta', 'beta ', 'alpha|beta', 'beta|alpha', 'alpha,beta', '../beta', 'alpha/../beta'],
  ...['..%2fbeta', '%2e%2e/beta', 'beta\u0000', 'alpha\u0000beta', "x' OR '1'='1", 'beta;alpha', '*', '%', '_'],
];

describe('a forged tenant', () => {
  test('in query, path or header of any reading route shows nothing of beta', async () => {
    const reads = declaredRoutes(http).filter(({ method, permission }) => method === 'GET' && permission !== 'public');
    const extra = `${range()}&period=${month()}&metric=other&step=60s&aggregate=avg`;
    let tried = 0;
    for (const { url } of reads) {
      for (const forged of forgeries) {
        const coded = encodeURIComponent(forged);
        const inPath = url.replaceAll(/:([A-Za-z]+)/g, (_match, name: string) =>
          name === 'traceId' ? traceId : coded,
        );
        const raw = url.replaceAll(/:([A-Za-z]+)/g, () => forged.replaceAll('\u0000', '').replaceAll(' ', ''));
        const own = url.replaceAll(/:([A-Za-z]+)/g, (_match, name: string) => (name === 'traceId' ? traceId : 'alpha'));
        const header = forged.replaceAll('\u0000', '');
        const names = { 'x-tenant-id': header, 'x-scope-orgid': header, 'x-dotmac-tenant-id': header };
        const answers = await Promise.all([
          // A route without an object in its path would be asked for alpha's own rows.
          ...(url.includes(':') ? [get(`${inPath}?${extra}`, alphaKey), get(`${raw}?${extra}`, alphaKey)] : []),
          get(`${own}?tenant=${coded}&${extra}`, alphaKey),
          get(`${own}?tenant=alpha&tenant=${coded}&${extra}`, alphaKey),
          // Names that nobody reads answer alpha's own rows, a query each: a few of them will do.
          ...(['beta', 'alpha|beta', '../beta'].includes(forged)
            ? [get(`${own}?${extra}`, alphaKey, { ...names, 'x-forwarded-tenant': header, cookie: `tenant=${coded}` })]
            : []),
        ]);
        for (const answer of answers) {
          expect(answer.body.includes(marker), `${url} ${forged}: ${answer.body.slice(0, 300)}`).toBe(false);
          expect(answer.statusCode, `${url} ${forged}: ${answer.body.slice(0, 300)}`).toBeLessThan(500);
        }
        tried += answers.length;
      }
    }
    expect(tried).toBeGreaterThan(1000);
  });

  test('in an OTLP resource refuses the whole request, JSON and protobuf, and stores nothing', async () => {
    const before = [await countsOf('alpha'), await countsOf('beta')];
    for (const forged of forgeries) {
      for (const app of [otlp, http]) {
        const message = gauge('forged', { 'dotmac.tenant.id': forged });
        const json = await post(app, '/v1/metrics', alphaKey, message);
        expect([json.statusCode, forged, json.json<{ message: string }>().message.split(':')[0]]).toEqual([
          ...[403, forged, 'ingest.tenant_mismatch'],
        ]);
        const binary = await app.inject({
          ...{ method: 'POST', url: '/v1/metrics', payload: Buffer.from(encodeOtlp('metrics', message)) },
          headers: { authorization: `Bearer ${alphaKey}`, 'content-type': 'application/x-protobuf' },
        });
        expect([binary.statusCode, forged]).toEqual([403, forged]);
      }
    }
    const twice = gauge('forged', { 'dotmac.tenant.id': 'alpha' });
    twice.resourceMetrics.push(...gauge('forged', { 'dotmac.tenant.id': 'beta' }).resourceMetrics);
    expect((await post(otlp, '/v1/metrics', alphaKey, twice)).statusCode).toBe(403);
    expect([await countsOf('alpha'), await countsOf('beta')]).toEqual(before);
  });

  test('in header, attribute or body of a write: refused, or written to the tenant of the credential', async () => {
    const before = { alpha: await countsOf('alpha'), beta: await countsOf('beta') };
    let points = 0;
    let events = 0;
    let at = BigInt(Date.now() - 600_000) * 1_000_000n;
    for (const [index, forged] of forgeries.entries()) {
      const header = forged.replaceAll('\u0000', '');
      for (const headers of [
        { 'x-tenant-id': header },
        { 'x-scope-orgid': header },
        { 'x-forwarded-tenant': header },
      ]) {
        at += 1_000_000n;
        const sent = await post(otlp, '/v1/metrics', alphaKey, gauge('forged', {}, `${at}`), headers);
        expect([200, 403]).toContain(sent.statusCode);
        points += sent.statusCode === 200 ? 1 : 0;
      }
      for (const name of ['tenant', 'tenant.id', 'tenantId', 'service.namespace']) {
        at += 1_000_000n;
        const sent = await post(otlp, '/v1/metrics', alphaKey, gauge('forged', { [name]: forged }, `${at}`));
        expect([200, 403]).toContain(sent.statusCode);
        points += sent.statusCode === 200 ? 1 : 0;
      }
      const bodies: Body[] = [
        event(`f-${index}-a`, { tenant: forged }),
        event(`f-${index}-b`, { subject: forged }),
        event(`f-${index}-c`, { source: `/dotmac/${encodeURIComponent(forged)}` }),
        event(`f-${index}-d`, { data: { value: '1', tenant: forged, tenantId: forged } }),
      ];
      for (const body of bodies) {
        const sent = await post(http, '/api/v1/plugins/usage-events', alphaKey, body);
        expect([200, 400, 403], sent.body).toContain(sent.statusCode);
        events += sent.statusCode === 200 ? 1 : 0;
      }
    }
    expect(points).toBeGreaterThan(50);
    expect(events).toBeGreaterThan(20);
    const after = await until(
      () => countsOf('alpha'),
      (counts) =>
        counts.points === before.alpha.points + points && counts.usageEvents === before.alpha.usageEvents + events,
    );
    expect(after.points - before.alpha.points).toBe(points);
    expect(await countsOf('beta')).toEqual(before.beta);
  });

  test('that exists and one that does not are answered alike, byte for byte', async () => {
    const headers = { 'x-correlation-id': 'the-same' };
    const routes = declaredRoutes(http).filter(({ permission }) => permission !== 'public');
    for (const { method, url } of routes) {
      const ask = (tenant: string) =>
        Promise.all(
          [
            `${url.replaceAll(/:(id|tenantId)\b/g, tenant)}`,
            `${url.replaceAll(/:(id|tenantId)\b/g, 'alpha')}?tenant=${tenant}`,
          ].map(async (target) => {
            const answer = await http.inject({
              ...{ method: method as 'GET', url: target, headers: { ...headers, authorization: `Bearer ${alphaKey}` } },
              ...(method === 'GET' || method === 'DELETE' ? {} : { payload: {} }),
            });
            // The own data of earlier tests has foreign names in it.
            const isOwn = answer.statusCode === 200;
            return [answer.statusCode, isOwn ? answer.body : answer.body.replaceAll(tenant, 'TENANT')];
          }),
        );
      const pair = async () =>
        [
          { url, answers: await ask('beta') },
          { url, answers: await ask('zeta') },
        ] as const;
      let [existing, missing] = await pair();
      // Alpha's own rows are stored and rolled up meanwhile: what differs because of the name goes on doing so.
      for (let again = 0; again < 20 && JSON.stringify(existing) !== JSON.stringify(missing); again += 1) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        [existing, missing] = await pair();
      }
      expect(existing).toEqual(missing);
    }
  });
});

// Last: the operator's own calls suspend and cancel the tenants of the matrix.
describe('role × route × foreign tenant, generated from the routes themselves', () => {
  test.each(['otlpHttp', 'http'] as const)(
    '%s: every call is let through or refused as its permission says',
    async (name) => {
      const app = pulse.services[name];
      const routes = declaredRoutes(app);
      expect(routes.length).toBeGreaterThan(name === 'http' ? 40 : 5);
      const cases = accessMatrix(routes, {
        ...{ own: 'alpha', foreign: 'beta', readsRawBody: isRaw },
        tokens: { operator: pulse.operatorToken, tenant: alphaKey, partner: partnerToken },
      });
      const operatorLast = cases.toSorted((a, b) => Number(a.role === 'operator') - Number(b.role === 'operator'));
      const wrong: string[] = [];
      for (const one of operatorLast) {
        const { payload, ...request } = one.request;
        const answer = await app.inject({
          ...request,
          method: request.method as 'GET',
          ...(payload === undefined ? {} : { payload: { ...payload } }),
        });
        const verdict = judgeAnswer(one, answer.statusCode);
        if (verdict !== null) wrong.push(verdict);
        if (answer.statusCode >= 500) wrong.push(`${one.name}: ${answer.statusCode} ${answer.body}`);
        if (one.role !== 'operator' && answer.body.includes(marker)) wrong.push(`${one.name}: shows beta`);
      }
      expect(wrong).toEqual([]);
      expect(cases.length).toBeGreaterThan(name === 'http' ? 300 : 20);
    },
  );
});
