import { Counter, type Registry } from 'prom-client';
import { AppError, type TenantRecord } from '../contract/index.ts';
import { admit, refuseForeignNames } from './permission.ts';
import type { Access, Principal, RoutePermission, TenantDirectory } from './port.ts';

/** Who calls, checked: the credential's principal and its tenant. */
export interface AdmittedCall {
  readonly principal: Principal;
  readonly tenant: TenantRecord;
}

/** The access check for protocols other than the HTTP applications, such as gRPC. */
export interface CallAccess {
  /**
   * Admits a call that acts on the credential's own tenant.
   *
   * *Shape* `headers` by lower-case name, the credential under `authorization`.
   * *Errors* `access.unauthenticated` (401), those of {@link admit} (403), `control.unavailable` (503).
   */
  admit(headers: Readonly<Record<string, string | undefined>>, action: CallAction): Promise<AdmittedCall>;
}

export type CallAction = Pick<Exclude<RoutePermission, 'public'>, 'resource' | 'action'>;

/** The same decisions as {@link accessPlugin}, without a request of Fastify. */
export function createCallAccess(deps: {
  readonly access: Access;
  readonly tenants: TenantDirectory;
  readonly metrics?: Registry;
}): CallAccess {
  const { access, tenants, metrics } = deps;
  const check = async (headers: Readonly<Record<string, string | undefined>>, action: CallAction) => {
    const token = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(headers['authorization'] ?? '')?.[1];
    const principal = token === undefined ? null : await access.authenticate(token);
    if (principal === null) {
      throw new AppError('access.unauthenticated', 'a valid bearer token is needed', { status: 401 });
    }
    // A key made a moment ago by another process can be ahead of the directory.
    if (principal.tenantId !== null && tenants.byId(principal.tenantId) === undefined) await tenants.refresh();
    const { tenant } = admit(principal, { ...action, tenant: 'credential' }, { query: {}, params: {} }, tenants);
    if (tenant === null) throw new AppError('access.forbidden', 'this credential may not do that', { status: 403 });
    refuseForeignNames(principal, { headers }, tenants);
    return { principal, tenant };
  };
  return {
    async admit(headers, action) {
      try {
        return await check(headers, action);
      } catch (error) {
        const refused = metrics?.getSingleMetric('pulse_access_refused_total');
        if (error instanceof AppError && error.code.startsWith('access.') && refused instanceof Counter) {
          refused.inc({ code: error.code });
        }
        throw error;
      }
    },
  };
}
