import type { Action, Resource, RoleName, RoutePermission } from './port.ts';

/** How far a grant reaches: the caller itself, its tenant, the tenants of its partner, everything. */
export type GrantScope = 'own' | 'tenant' | 'partner' | 'global';

/** One right. `*` stands for every resource or action, also for those added later: for the platform's operator only. */
export interface Grant {
  readonly resource: Resource | '*';
  readonly action: Action | '*';
  readonly scope: GrantScope;
}

const reads = (scope: GrantScope, resources: readonly Resource[]): Grant[] =>
  resources.map((resource) => ({ resource, action: 'read', scope }));
const writes = (scope: GrantScope, resources: readonly Resource[]): Grant[] =>
  resources.map((resource) => ({ resource, action: 'write', scope }));

/** What each role may do. What is not listed is refused. */
export const roles: Readonly<Record<RoleName, readonly Grant[]>> = {
  operator: [{ resource: '*', action: '*', scope: 'global' }],
  tenant: [
    ...writes('tenant', ['telemetry', 'usage_events', 'monitoring']),
    ...reads('tenant', ['telemetry', 'tenants', 'analytics', 'billing', 'decisions', 'alerts', 'plugins', 'events']),
    ...reads('own', ['session']),
  ],
  partner: [...reads('partner', ['tenants', 'analytics', 'billing']), ...reads('own', ['session'])],
};

/** How far a role may go with a resource and an action; null when it may not at all. */
export function grantedScope(role: RoleName, resource: Resource, action: Action): GrantScope | null {
  const grant = roles[role].find(
    (candidate) =>
      (candidate.resource === '*' || candidate.resource === resource) &&
      (candidate.action === '*' || candidate.action === action),
  );
  return grant?.scope ?? null;
}

/** Whether a role gets past the permission of a route at all, a tenant of its own taken for granted. */
export function roleMayCall(role: RoleName, permission: RoutePermission): boolean {
  if (permission === 'public') return true;
  if (grantedScope(role, permission.resource, permission.action) === null) return false;
  return permission.tenant !== 'credential' || role === 'tenant';
}
