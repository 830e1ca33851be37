import { AppError, type TenantRecord } from '../contract/index.ts';
import type { RowScope } from '../control/port.ts';
import type { Principal, Resource, RoutePermission, TenantDirectory } from './port.ts';
import { type GrantScope, grantedScope } from './roles.ts';

/** What a request is allowed to act on. */
export interface Admission {
  readonly tenant: TenantRecord | null;
  readonly rowScope: RowScope;
}

/** The parts of a request that can name a tenant. */
export interface TenantNames {
  readonly query: unknown;
  readonly params: unknown;
}

/** One answer for "not yours", "not there" and "not your right", so that nobody can ask which tenants exist. */
export const forbidden = () => new AppError('access.forbidden', 'this credential may not do that', { status: 403 });

/** Telemetry of a suspended tenant is still taken: its bill and its service level must stay right. */
const takenWhileSuspended: ReadonlySet<Resource> = new Set(['telemetry', 'usage_events', 'monitoring']);

function member(source: unknown, name: string): unknown {
  return typeof source === 'object' && source !== null ? (source as Record<string, unknown>)[name] : undefined;
}

function namedTenant(permission: Exclude<RoutePermission, 'public'>, names: TenantNames): string | null {
  switch (permission.tenant) {
    case 'query':
      return single(member(names.query, 'tenant'), 'query.tenant');
    case 'params.id':
      return single(member(names.params, 'id'), 'params.id') ?? '';
    case 'params.tenantId':
      return single(member(names.params, 'tenantId'), 'params.tenantId') ?? '';
    default:
      return null;
  }
}

function single(value: unknown, field: string): string | null {
  if (value === undefined) return null;
  if (typeof value === 'string') return value;
  throw new AppError('access.tenant_ambiguous', 'name one tenant', { status: 400, field });
}

/** Whether a principal reaches a tenant at all, whatever the resource. */
export function reaches(principal: Principal, scope: GrantScope, tenant: TenantRecord | undefined): boolean {
  if (tenant === undefined) return false;
  if (scope === 'global') return true;
  if (scope === 'partner') return principal.partnerId !== null && tenant.partnerId === principal.partnerId;
  return principal.tenantId !== null && tenant.id === principal.tenantId;
}

function ownScope(principal: Principal, scope: GrantScope): RowScope {
  if (principal.role === 'operator' && scope === 'global') return { kind: 'global' };
  if (principal.partnerId !== null) return { kind: 'partner', partnerId: principal.partnerId };
  if (principal.tenantId !== null) return { kind: 'tenant', tenantId: principal.tenantId };
  throw forbidden();
}

/**
 * Decides whether a principal may call a route, and for which tenant.
 *
 * *Errors* `access.forbidden`, `access.no_tenant`, `access.tenant_suspended`, `access.tenant_cancelled` (403), `access.tenant_ambiguous` (400).
 */
export function admit(
  principal: Principal,
  permission: Exclude<RoutePermission, 'public'>,
  names: TenantNames,
  tenants: Pick<TenantDirectory, 'byId'>,
): Admission {
  const scope = grantedScope(principal.role, permission.resource, permission.action);
  if (scope === null) throw forbidden();
  const own = principal.tenantId === null ? null : (tenants.byId(principal.tenantId) ?? null);
  if (principal.tenantId !== null) {
    if (own === null) throw forbidden();
    requireState(own, permission);
  }
  if (permission.tenant === 'credential') {
    if (own === null) {
      throw new AppError(
        'access.no_tenant',
        'this call acts on the tenant of the credential, and this one has none: use a tenant API key',
        {
          status: 403,
        },
      );
    }
    return { tenant: own, rowScope: { kind: 'tenant', tenantId: own.id } };
  }
  const name = namedTenant(permission, names);
  if (name === null) return { tenant: own, rowScope: ownScope(principal, scope) };
  const tenant = tenants.byId(name);
  if (tenant === undefined || !reaches(principal, scope, tenant)) throw forbidden();
  return { tenant, rowScope: scopeWithin(principal, tenant.id) };
}

/** Rows of one tenant, within what the credential reaches: the database refuses the rest even if the check above let it through. */
function scopeWithin(principal: Principal, tenantId: string): RowScope {
  if (principal.tenantId !== null) return { kind: 'tenant', tenantId: principal.tenantId };
  if (principal.partnerId !== null) return { kind: 'tenant', tenantId, partnerId: principal.partnerId };
  return { kind: 'tenant', tenantId };
}

function requireState(tenant: TenantRecord, permission: Exclude<RoutePermission, 'public'>): void {
  if (permission.action === 'read' || tenant.state === 'active') return;
  if (tenant.state === 'cancelled') {
    throw new AppError('access.tenant_cancelled', 'the tenant is cancelled: its data can be read, nothing is taken', {
      status: 403,
    });
  }
  if (!takenWhileSuspended.has(permission.resource)) {
    throw new AppError('access.tenant_suspended', 'the tenant is suspended: telemetry is taken, changes are not', {
      status: 403,
    });
  }
}

const tenantNames = ['tenant', 'tenantId', 'tenant_id'];
const tenantHeaders = ['x-tenant-id', 'x-dotmac-tenant-id', 'x-scope-orgid'];

/**
 * Second lock on the same door: a caller bound to tenants that names one out of its reach anywhere usual is refused, even where the route would not have read the name.
 *
 * *Shape* looks at `tenant`, `tenantId`, `tenant_id` in query, path and at the top of the body, and at the usual headers.
 */
export function refuseForeignNames(
  principal: Principal,
  sources: { readonly query?: unknown; readonly params?: unknown; readonly headers?: unknown; readonly body?: unknown },
  tenants: Pick<TenantDirectory, 'byId'>,
): void {
  if (principal.role === 'operator') return;
  const scope: GrantScope = principal.role === 'partner' ? 'partner' : 'tenant';
  const bodies = Array.isArray(sources.body) ? sources.body : [sources.body];
  const named = [
    ...[sources.query, sources.params, ...bodies].flatMap((source) => tenantNames.map((name) => member(source, name))),
    ...tenantHeaders.map((name) => member(sources.headers, name)),
  ];
  for (const value of named.flat()) {
    if (typeof value === 'string' && !reaches(principal, scope, tenants.byId(value))) throw forbidden();
  }
}
