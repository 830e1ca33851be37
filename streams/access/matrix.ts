import type { DeclaredRoute } from './access-plugin.ts';
import type { RoleName } from './port.ts';
import { roleMayCall } from './roles.ts';

/** One call of the role × route × foreign-tenant matrix and what must become of it. */
export interface MatrixCase {
  readonly name: string;
  readonly role: RoleName | 'anonymous';
  readonly route: DeclaredRoute;
  /** `allow`: gets past the access check; `deny`: 401, 403 or 404. */
  readonly expected: 'allow' | 'deny';
  readonly request: {
    readonly method: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly payload?: Readonly<Record<string, unknown>>;
  };
}

/** Real credentials and tenants for the calls: `own` belongs to the tenant's and the partner's token, `foreign` to neither. */
export interface MatrixSetup {
  readonly own: string;
  readonly foreign: string;
  readonly tokens: Readonly<Partial<Record<RoleName, string>>>;
  /** True for routes that read their body as bytes (OTLP): a name in it is theirs to check, and to test. */
  readonly readsRawBody?: (route: DeclaredRoute) => boolean;
}

const withBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** Puts values into a route pattern: the tenant where the permission says it stands, a name that nothing has elsewhere. */
function fillPath(route: DeclaredRoute, tenant: string): string {
  const place = route.permission === 'public' ? '' : route.permission.tenant;
  return route.url
    .replaceAll(/:([A-Za-z]+)/g, (_match, name: string) =>
      place === `params.${name}` || name === 'tenantId' ? tenant : 'none-such',
    )
    .replace('*', 'none-such');
}

/**
 * Makes every case of the matrix.
 *
 * *Shape* a route × (nobody, each role with a token) with the own tenant; for roles bound to tenants also with the foreign tenant's id in query, path, header and body, all to be denied.
 */
export function accessMatrix(routes: readonly DeclaredRoute[], setup: MatrixSetup): MatrixCase[] {
  return routes.filter(({ permission }) => permission !== 'public').flatMap((route) => casesOf(route, setup));
}

function casesOf(route: DeclaredRoute, setup: MatrixSetup): MatrixCase[] {
  const { method } = route;
  const own = fillPath(route, setup.own);
  const payload = withBody.has(method) ? { payload: {} } : {};
  const cases: MatrixCase[] = [
    {
      name: `${method} ${route.url}: nobody`,
      role: 'anonymous',
      route,
      expected: 'deny',
      request: { method, url: own, headers: {}, ...payload },
    },
  ];
  for (const [role, token] of Object.entries(setup.tokens) as [RoleName, string][]) {
    const headers = { authorization: `Bearer ${token}` };
    const add = (what: string, expected: MatrixCase['expected'], request: Partial<MatrixCase['request']>) =>
      cases.push({
        name: `${method} ${route.url}: ${role}, ${what}`,
        role,
        route,
        expected,
        request: { method, url: own, headers, ...payload, ...request },
      });
    add('own tenant', roleMayCall(role, route.permission) ? 'allow' : 'deny', {});
    if (role === 'operator') continue;
    const foreignPath = fillPath(route, setup.foreign);
    add('foreign tenant in the query', 'deny', { url: `${own}?tenant=${setup.foreign}` });
    if (foreignPath !== own) add('foreign tenant in the path', 'deny', { url: foreignPath });
    add('foreign tenant in a header', 'deny', { headers: { ...headers, 'x-tenant-id': setup.foreign } });
    if (withBody.has(method) && setup.readsRawBody?.(route) !== true) {
      add('foreign tenant in the body', 'deny', { payload: { tenant: setup.foreign, tenantId: setup.foreign } });
    }
  }
  return cases;
}

/** Says what is wrong with an answer, or null. *Bias* an object that a `resource` route does not find is 403 by design, so "allow" cannot be told from it there. */
export function judgeAnswer(expectation: MatrixCase, status: number): string | null {
  const { permission } = expectation.route;
  const refused = status === 401 || status === 403;
  if (expectation.expected === 'deny') {
    return refused || status === 404 ? null : `${expectation.name}: must be refused, answered ${status}`;
  }
  const hides = permission !== 'public' && permission.tenant === 'resource';
  return refused && !hides ? `${expectation.name}: must be let through, answered ${status}` : null;
}
