import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError, PageQuery, pageOf, TenantId } from '../contract/index.ts';
import { listAudit, verifyAudit } from './audit.ts';
import type { Control } from './port.ts';

const AuditView = z.object({
  seq: z.string(),
  at: z.string(),
  actor: z.string(),
  correlationId: z.string(),
  tenantId: z.string().nullable(),
  action: z.string(),
  resource: z.string(),
  detail: z.unknown(),
  previousHash: z.string(),
  hash: z.string(),
});

const VerificationView = z.object({
  records: z.number().int(),
  ok: z.boolean(),
  firstBroken: z.number().int().nullable(),
  headHash: z.string(),
});

function parseCursor(cursor: string | undefined): string | null {
  if (cursor === undefined) return null;
  if (!/^\d{1,18}$/.test(cursor)) {
    throw new AppError('control.cursor_invalid', 'the cursor is not one that this list gave out', {
      status: 400,
      field: 'cursor',
    });
  }
  return cursor;
}

/** `GET /api/v1/audit` (newest first) and `GET /api/v1/audit/verify`. */
export function auditRoutes(deps: { readonly control: Control }): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/api/v1/audit',
      schema: {
        tags: ['audit'],
        summary: 'Lists what was changed in the control plane, by whom, newest first',
        querystring: PageQuery.extend({ tenant: TenantId.optional() }),
        response: { 200: pageOf(AuditView) },
      },
      config: { permission: { resource: 'audit', action: 'read', tenant: 'query' } },
      handler: async (request) => {
        const { limit, cursor } = request.query;
        const before = parseCursor(cursor);
        const items = await listAudit(deps.control, request.rowScope, { limit: limit + 1, before });
        const more = items.length > limit;
        const page = items.slice(0, limit);
        return { items: page, nextCursor: more ? (page.at(-1)?.seq ?? null) : null };
      },
    });
    app.route({
      method: 'GET',
      url: '/api/v1/audit/verify',
      schema: {
        tags: ['audit'],
        summary: 'Recomputes the hash chain of the audit log and names the first broken record',
        response: { 200: VerificationView },
      },
      config: { permission: { resource: 'audit', action: 'read', tenant: 'none' } },
      handler: () => verifyAudit(deps.control),
    });
  };
}
