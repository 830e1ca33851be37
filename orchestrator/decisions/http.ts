import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { DecisionState, DecisionView, PageQuery, pageOf, TenantId } from 'streams/contract';
import { z } from 'zod';
import type { DecisionLedger } from './decision-ledger.ts';

const Id = z.object({ id: z.string().min(1).max(100) });
const Verdict = z.object({ reason: z.string().max(500).default('') }).default({ reason: '' });

/** `GET /api/v1/decisions`, `…/{id}`, `POST …/{id}/approve|veto`. */
export function decisionRoutes(ledger: DecisionLedger): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/api/v1/decisions',
      {
        config: { permission: { resource: 'decisions', action: 'read', tenant: 'query' } },
        schema: {
          tags: ['decisions'],
          summary: 'Decisions, newest first, each with evidence, gates and outcomes',
          querystring: PageQuery.extend({ tenant: TenantId.optional(), state: DecisionState.optional() }),
          response: { 200: pageOf(DecisionView) },
        },
      },
      async (request) => {
        const { state, limit, cursor } = request.query;
        return ledger.list(request.rowScope, { state, limit, cursor });
      },
    );
    app.get(
      '/api/v1/decisions/:id',
      {
        config: { permission: { resource: 'decisions', action: 'read', tenant: 'resource' } },
        schema: { tags: ['decisions'], summary: 'One decision', params: Id, response: { 200: DecisionView } },
      },
      async (request) => ledger.find(request.rowScope, request.params.id),
    );
    for (const verdict of ['approve', 'veto'] as const) {
      app.post(
        `/api/v1/decisions/:id/${verdict}`,
        {
          config: { permission: { resource: 'decisions', action: 'approve', tenant: 'resource' } },
          schema: {
            tags: ['decisions'],
            summary: verdict === 'approve' ? 'Approve an open decision' : 'Veto an open decision',
            params: Id,
            body: Verdict,
            response: { 200: DecisionView },
          },
        },
        async (request) => {
          const actor = { id: request.principal.id, correlationId: request.correlationId };
          return ledger.resolve(actor, request.rowScope, request.params.id, verdict, request.body.reason);
        },
      );
    }
  };
}
