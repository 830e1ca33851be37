import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { TenantDirectory } from 'streams/access';
import { AppError, DecimalString, Handover, LineCheck, TenantId, toProblem } from 'streams/contract';
import { z } from 'zod';
import { visibleTenants } from '../invoicing/tenants.ts';
import type { OpenPeriod, SealService } from './seal-service.ts';

const Sealed = z.object({
  tenant: z.string(),
  period: z.string(),
  start: z.string(),
  end: z.string(),
  sealedAt: z.string(),
  sealedBy: z.string(),
  knownAt: z.string(),
  totals: z.object({
    meters: z.record(z.string(), DecimalString),
    draft: z.object({
      invoice: z.string(),
      total: DecimalString,
      currency: z.string(),
      rateCard: z.object({ id: z.string(), version: z.number().int() }),
    }),
    missing: z.number(),
  }),
});

/** Why periods stay open, and whose were closed all the same. */
const Unbalanced = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  code: z.string(),
  detail: z.string(),
  field: z.string().optional(),
  correlationId: z.string().optional(),
  open: z
    .array(
      z.object({
        tenant: z.string(),
        period: z.string(),
        open: z.number().int(),
        hours: z.array(Handover),
        lines: z.array(LineCheck),
      }),
    )
    .optional(),
  sealed: z.array(z.string()).optional(),
});

export interface SealingDeps {
  readonly tenants: TenantDirectory;
  readonly sealing: SealService;
}

/** `POST /api/v1/billing/periods/2026-11/close`: usage of the periods that start in that month becomes final. */
export function sealingRoutes(deps: SealingDeps): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'POST',
      url: '/api/v1/billing/periods/:period/close',
      schema: {
        tags: ['billing'],
        summary:
          'Closes the billing periods that start in a month, of one tenant or of all: their usage is final. 409 names what does not balance',
        params: z.object({ period: z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'a month such as 2026-11') }),
        querystring: z.object({ tenant: TenantId.optional() }),
        response: { 200: z.object({ sealed: z.array(Sealed), already: z.array(Sealed) }), 409: Unbalanced },
      },
      config: { permission: { resource: 'billing', action: 'approve', tenant: 'query' } },
      handler: async (request, reply) => {
        const actor = { id: request.principal.id, correlationId: request.correlationId };
        try {
          return await deps.sealing.close(visibleTenants(request, deps.tenants), request.params.period, actor);
        } catch (error) {
          if (!(error instanceof AppError) || error.code !== 'billing.period_unbalanced') throw error;
          // The list is the answer: problem+json takes members of its own. *Source* RFC 9457 §3.2.
          const problem = toProblem(error, request.correlationId);
          const { open, sealed } = error.context as { open: readonly OpenPeriod[]; sealed: readonly string[] };
          return reply
            .code(409)
            .type('application/problem+json')
            .send({ ...problem, open: [...open], sealed: [...sealed] } as z.infer<typeof Unbalanced>);
        }
      },
    });
  };
}
