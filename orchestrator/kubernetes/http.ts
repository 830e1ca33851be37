import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { AppError, TenantId, Tier } from 'streams/contract';
import { z } from 'zod';
import { currentDeployment, planDeployment } from './plan.ts';

const DeploymentPlan = z.object({
  tenant: TenantId,
  mode: z.literal('plan'),
  objects: z.array(z.record(z.string(), z.unknown())),
  /** Unified diff of the YAML; against nothing when `from` is `empty`, else against what is wanted today. */
  diff: z.string(),
});

/** `GET /api/v1/tenant-orchestration/deployments/{tenantId}`: the exact objects and the difference that a change would apply. Plan mode: nothing is applied. */
export const deploymentRoutes: FastifyPluginAsyncZod = async (app) => {
  app.get(
    '/api/v1/tenant-orchestration/deployments/:tenantId',
    {
      config: { permission: { resource: 'deployments', action: 'read', tenant: 'params.tenantId' } },
      schema: {
        tags: ['orchestration'],
        summary:
          "The Kubernetes objects of a tenant's instance and the difference that a change of tier or replicas would apply",
        params: z.object({ tenantId: TenantId }),
        querystring: z.object({
          tier: Tier.optional(),
          replicas: z.coerce.number().int().min(0).max(50).optional(),
          from: z.literal(['current', 'empty']).default('current'),
        }),
        response: { 200: DeploymentPlan },
      },
    },
    async (request) => {
      const { tenant } = request;
      if (tenant === null) throw new AppError('access.forbidden', 'no access to this tenant', { status: 403 });
      const { tier, replicas, from } = request.query;
      const current = currentDeployment(tenant);
      const after = {
        ...current,
        ...(tier === undefined ? {} : { tier }),
        ...(replicas === undefined ? {} : { replicas }),
      };
      const plan = planDeployment(from === 'empty' ? null : current, after);
      return { tenant: tenant.id, mode: 'plan' as const, ...plan };
    },
  );
};
