import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { extname, join, normalize } from 'node:path';
import {
  DecisionView,
  FleetRow,
  ForecastReport,
  Invoice,
  LineEvidence,
  MetricRange,
  type Problem,
  RejectedCount,
  SlaReport,
  Tenant,
  UsageReport,
} from 'streams/contract';
import type { z } from 'zod';
import { decisionsOf, fleetOf, invoiceOf, slaOf, usageOf } from './fixtures.ts';
import { forecastOf, logsOf, rangeOf, rejectedOf } from './telemetry.ts';

export const operatorToken = 'operator-token-for-tests';
export const tenantKey = 'pulse_key_northwind';
const tenantOfKey = 'northwind-fibre';

/** What a test may change while the server runs. */
export interface MockState {
  tenants: number;
  /** Path prefix to the answer that it gives instead of its data. */
  failures: Map<string, { status: number; code: string; detail: string }>;
  delayMs: number;
  /** Every credential is refused, as after a revocation. */
  expired: boolean;
  /** Calls of approve and veto. */
  readonly verdicts: string[];
  /** Paths that were asked for, newest last. */
  readonly asked: string[];
}

export interface MockServer {
  readonly url: string;
  readonly state: MockState;
  close(): Promise<void>;
}

const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const mediaTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

function sendJson(response: ServerResponse, status: number, body: unknown) {
  response.writeHead(status, {
    'content-type': status < 400 ? 'application/json' : 'application/problem+json',
    'cache-control': 'no-store',
  });
  response.end(JSON.stringify(body));
}

function sendProblem(response: ServerResponse, status: number, code: string, detail: string) {
  const problem: Problem = {
    type: `urn:dotmac:pulse:error:${code}`,
    title: code.replaceAll(/[._]/g, ' '),
    status,
    code,
    detail,
    correlationId: 'c0ffee12',
  };
  sendJson(response, status, problem);
}

/** Checks what is sent against the contract, so that the fixtures cannot drift from it. */
function checked<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  return schema.parse(value);
}

const list = <T>(items: T[]) => ({ items, nextCursor: null });

// The running period of one tenant cannot be worked out: the others must stand.
const draftFailure = { tenant: 'lumen-valley', code: 'billing.no_rate_card', detail: 'no rate card is in force' };

function drafts(rows: readonly FleetRow[], period: string): Invoice[] {
  return rows
    .filter((row) => row.tenant.id !== draftFailure.tenant)
    .map((row) => checked(Invoice, invoiceOf(row, period)));
}

interface Call {
  readonly path: string;
  readonly search: URLSearchParams;
  /** Tenant of the credential; null for the operator. */
  readonly own: string | null;
  readonly method: string;
}

type Answer = { readonly status: number; readonly body: unknown } | null;

function fleetAnswer(state: MockState, call: Call): Answer {
  const rows = fleetOf(state.tenants);
  const seen = call.own === null ? rows : rows.filter((row) => row.tenant.id === call.own);
  switch (call.path) {
    case '/session':
      return { status: 200, body: { role: call.own === null ? 'operator' : 'tenant', tenantId: call.own } };
    case '/analytics/fleet':
      return { status: 200, body: list(seen.map((row) => checked(FleetRow, row))) };
    case '/backups':
      return { status: 200, body: { ...list([]), lastVerifiedBackup: null } };
    case '/tenants':
      return { status: 200, body: list(seen.map((row) => checked(Tenant, row.tenant))) };
    default:
      return null;
  }
}

function tenantAnswer(state: MockState, call: Call): Answer {
  const { path, search } = call;
  const rows = fleetOf(state.tenants);
  const named =
    /^\/tenants\/([^/]+)$/.exec(path)?.[1] ??
    /\/invoices\/draft-(.+)-\d{4}-\d{2}\//.exec(path)?.[1] ??
    search.get('tenant') ??
    call.own;
  const period = search.get('period') ?? new Date().toISOString().slice(0, 7);
  if (named === null) {
    if (path === '/billing/invoices')
      return { status: 200, body: { ...list(drafts(rows, period)), failures: [draftFailure] } };
    if (path === '/decisions')
      return { status: 200, body: list(rows.flatMap((row) => decisionViews(state, row, search))) };
    return null;
  }
  const row = rows.find((candidate) => candidate.tenant.id === named);
  if (row === undefined || (call.own !== null && call.own !== named)) return { status: 403, body: null };
  const { tenant } = row;
  const answers: Readonly<Record<string, () => unknown>> = {
    [`/tenants/${tenant.id}`]: () => tenant,
    '/analytics/sla': () => checked(SlaReport, slaOf(tenant, period, Date.now())),
    '/analytics/forecast': () =>
      checked(ForecastReport, forecastOf(tenant, row.customers ?? 0, search.get('metric') ?? '')),
    '/telemetry/metrics/range': () => checked(MetricRange, rangeOf(tenant, search)),
    '/telemetry/logs': () => logsOf(tenant),
    '/telemetry/rejected': () => list(rejectedOf(tenant, search).map((count) => checked(RejectedCount, count))),
    '/billing/usage': () => checked(UsageReport, usageOf(row, period)),
    '/billing/invoices': () => list([checked(Invoice, invoiceOf(row, period))]),
    '/decisions': () => list(decisionViews(state, row, search)),
  };
  const answer = answers[path];
  if (answer !== undefined) return { status: 200, body: answer() };
  if (path.endsWith('/evidence')) return { status: 200, body: evidenceAnswer(row, path, search) };
  return null;
}

function decisionViews(state: MockState, row: FleetRow, search: URLSearchParams): DecisionView[] {
  return decisionsOf(row.tenant, Date.now())
    .map((decision): DecisionView => {
      const verdict = state.verdicts.findLast((entry) => entry.startsWith(`${decision.id}/`));
      return verdict === undefined
        ? decision
        : { ...decision, state: verdict.endsWith('/veto') ? 'vetoed' : 'planned' };
    })
    .filter((decision) => search.get('state') === null || decision.state === search.get('state'))
    .map((decision) => checked(DecisionView, decision));
}

const pageRows = 60;

function evidenceAnswer(row: FleetRow, path: string, search: URLSearchParams): unknown {
  const name = /\/([^/]+)\/evidence$/.exec(path)?.[1] ?? '';
  const line = invoiceOf(row, '2026-11').lines.find((candidate) => candidate.id === name);
  const meter = usageOf(row, '2026-11').meters.find((candidate) => candidate.meter === name);
  const quantity = line?.quantity ?? meter?.quantity ?? '0';
  if (name !== 'api-calls' && name !== 'api_calls') {
    const rows = [{ subscription: `${row.tenant.id}-1`, item: name, from: '2026-11-01T00:00:00Z', quantity }];
    return checked(LineEvidence, {
      invoice: 'draft',
      line: name,
      query: 'SELECT * FROM subscriptions WHERE tenant = {tenant:UInt32}',
      parameters: { tenant: 2 },
      aggregate: 'any(quantity)',
      quantity,
      rows,
      nextCursor: null,
    });
  }
  const total = 120;
  const first = Number(search.get('cursor') ?? 0);
  const each = Math.floor(Number(quantity) / total);
  const rows = Array.from({ length: pageRows }, (_, index) => {
    const at = first + index;
    const value = at === total - 1 ? Number(quantity) - each * (total - 1) : each;
    return {
      id: `evt-${1000 + at}`,
      time: new Date(Date.UTC(2026, 10, 1, at)).toISOString(),
      source: 'isp-framework/api',
      value: String(value),
    };
  });
  return checked(LineEvidence, {
    invoice: 'draft',
    line: name,
    query:
      "SELECT id, time, source, value\nFROM usage_events FINAL\nWHERE tenant = {tenant:UInt32} AND type = 'api_calls'\nORDER BY time, id",
    parameters: { tenant: 2 },
    aggregate: 'sum(value)',
    quantity,
    rows,
    nextCursor: first + pageRows < total ? String(first + pageRows) : null,
  });
}

function answerApi(state: MockState, request: IncomingMessage, response: ServerResponse, url: URL) {
  const path = url.pathname.slice('/api/v1'.length);
  state.asked.push(`${path}${url.search}`);
  const token = (request.headers.authorization ?? '').replace('Bearer ', '');
  if (state.expired || (token !== operatorToken && token !== tenantKey)) {
    return sendProblem(response, 401, 'access.unauthenticated', 'the credential is unknown, revoked or expired');
  }
  for (const [prefix, failure] of state.failures) {
    if (path.startsWith(prefix)) return sendProblem(response, failure.status, failure.code, failure.detail);
  }
  const own = token === tenantKey ? tenantOfKey : null;
  const verdict = /^\/decisions\/([^/]+)\/(approve|veto)$/.exec(path);
  if (verdict !== null && request.method === 'POST') {
    if (own !== null) return sendProblem(response, 403, 'access.forbidden', 'this credential may not do that');
    state.verdicts.push(`${verdict[1]}/${verdict[2]}`);
    return sendJson(response, 200, {});
  }
  const call: Call = { path, search: url.searchParams, own, method: request.method ?? 'GET' };
  const answer = fleetAnswer(state, call) ?? tenantAnswer(state, call);
  if (answer === null) return sendProblem(response, 404, 'runtime.not_found', `nothing answers ${path}`);
  if (answer.status === 403)
    return sendProblem(response, 403, 'access.forbidden', 'this tenant is not yours or does not exist');
  return sendJson(response, answer.status, answer.body);
}

function sendPage(dist: string, response: ServerResponse, pathname: string) {
  const wanted = join(dist, normalize(pathname));
  const file =
    wanted.startsWith(dist) && existsSync(wanted) && statSync(wanted).isFile() ? wanted : join(dist, 'index.html');
  response.writeHead(200, {
    'content-type': mediaTypes[extname(file)] ?? 'application/octet-stream',
    'content-security-policy': policy,
    'x-content-type-options': 'nosniff',
  });
  createReadStream(file).pipe(response);
}

/**
 * Serves fixtures under `/api/v1` and pages for everything else, on loopback.
 *
 * *Shape* `pages` is the folder of a build, served with the strict content security policy, or a request listener such as Vite's.
 */
export async function startMockServer(options: {
  readonly pages: string | RequestListener;
  readonly port?: number;
}): Promise<MockServer> {
  const state: MockState = { tenants: 12, failures: new Map(), delayMs: 0, expired: false, verdicts: [], asked: [] };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    if (!url.pathname.startsWith('/api/')) {
      if (typeof options.pages === 'string') sendPage(options.pages, response, url.pathname);
      else options.pages(request, response);
      return;
    }
    const answer = () => {
      try {
        answerApi(state, request, response, url);
      } catch (error) {
        sendProblem(response, 500, 'mock.broken_fixture', error instanceof Error ? error.message : String(error));
      }
    };
    if (state.delayMs === 0) answer();
    else setTimeout(answer, state.delayMs);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('invariant: a listening server has a port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    state,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
