import type { TenantLimits, TenantRecord } from '../contract/index.ts';
import type { RowScope } from '../control/port.ts';

/** Roles as data: see `roles.ts` for what each may do. */
export type RoleName = 'operator' | 'tenant' | 'partner';

/** Whom a credential stands for. The credential decides the tenant; nothing in a request can change it. */
export interface Principal {
  readonly role: RoleName;
  /** `operator`, `key:ID`. */
  readonly id: string;
  readonly tenantId: string | null;
  readonly partnerId: string | null;
  /** Extra rights of a key: `backfill`. */
  readonly scopes: readonly string[];
}

export type Resource =
  | 'telemetry'
  | 'usage_events'
  | 'monitoring'
  | 'tenants'
  | 'api_keys'
  | 'analytics'
  | 'billing'
  | 'rate_cards'
  | 'decisions'
  | 'deployments'
  | 'audit'
  | 'events'
  | 'alerts'
  | 'plugins'
  | 'platform'
  | 'session';
export type Action = 'read' | 'write' | 'approve';

/**
 * Declared by every route as `config.permission`; a route without one fails at registration.
 *
 * *Shape* `tenant` says where the tenant that is acted on stands: `query` = `?tenant=` (optional; a tenant's own key means its own), `params.id` / `params.tenantId` = path,
 * `credential` = the key's own tenant and no other (ingest), `resource` = the handler looks the object up under `request.rowScope` (foreign and unknown alike are 403), `none` = concerns no tenant.
 */
export type RoutePermission =
  | 'public'
  | {
      readonly resource: Resource;
      readonly action: Action;
      readonly tenant: 'query' | 'params.id' | 'params.tenantId' | 'credential' | 'resource' | 'none';
    };

declare module 'fastify' {
  interface FastifyContextConfig {
    permission?: RoutePermission;
  }
  interface FastifyRequest {
    /** Set before the handler of every route that is not public. */
    principal: Principal;
    /** The tenant acted on, already checked; null when the route concerns none or the operator named none. */
    tenant: TenantRecord | null;
    rowScope: RowScope;
    correlationId: string;
  }
}

export interface Access {
  /** Finds the principal of a bearer token; null when unknown, revoked or expired. Takes the same time for all three. */
  authenticate(token: string): Promise<Principal | null>;
}

/** Tenants in memory, refreshed on change: id and engine number to record. */
export interface TenantDirectory {
  byId(id: string): TenantRecord | undefined;
  byNumber(number: number): TenantRecord | undefined;
  list(): readonly TenantRecord[];
  /** Reads the control plane again; called after a mutation and every few seconds. */
  refresh(): Promise<void>;
}

/** Limits in force, in memory. */
export interface LimitsDirectory {
  /** A tenant's limits; one that has none of its own, or is unknown, has the defaults. */
  of(tenantId: string): TenantLimits;
  /** Reads the control plane again; called after a change and every few seconds. */
  refresh(): Promise<void>;
}
