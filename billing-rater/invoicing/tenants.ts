import type { FastifyRequest } from 'fastify';
import type { TenantDirectory } from 'streams/access';
import { AppError, type TenantRecord } from 'streams/contract';

/** Tenants that a request may see, by id. The principal's scope decides; a named tenant was checked before the handler. */
export function visibleTenants(request: FastifyRequest, directory: TenantDirectory): TenantRecord[] {
  if (request.tenant !== null) return [request.tenant];
  const { rowScope } = request;
  return directory
    .list()
    .filter((tenant) => {
      if (rowScope.kind === 'global') return true;
      return rowScope.kind === 'tenant' ? tenant.id === rowScope.tenantId : tenant.partnerId === rowScope.partnerId;
    })
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** The one tenant that a report is about. *Errors* `billing.tenant_required` (400). */
export function requireTenant(request: FastifyRequest): TenantRecord {
  if (request.tenant === null) {
    throw new AppError('billing.tenant_required', 'name the tenant: ?tenant=ID', { status: 400, field: 'tenant' });
  }
  return request.tenant;
}

/** *Errors* `billing.invoice_forbidden` (403), the same for a foreign and for an unknown one. */
export function requireVisible(request: FastifyRequest, directory: TenantDirectory, id: string): TenantRecord {
  const found = visibleTenants(request, directory).find((tenant) => tenant.id === id);
  if (found === undefined) throw forbiddenInvoice();
  return found;
}

export function forbiddenInvoice(): AppError {
  return new AppError('billing.invoice_forbidden', 'there is no such invoice, or it is not yours', { status: 403 });
}
