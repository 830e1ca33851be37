import { createTwoFilesPatch } from 'diff';
import type { Decision, Tenant } from 'streams/contract';
import { Tier } from 'streams/contract';
import { stringify } from 'yaml';
import { type Deployment, defaultImage, type KubernetesObject, tenantObjects } from './tenant-objects.ts';

/** The objects that would be applied and how they differ from what is wanted today, as a unified diff of YAML. */
export interface Plan {
  readonly objects: KubernetesObject[];
  readonly diff: string;
}

/** What a tenant's instance is meant to be now, from its subscription. */
export function currentDeployment(tenant: Pick<Tenant, 'id' | 'tier' | 'plan' | 'state'>): Deployment {
  return {
    tenantId: tenant.id,
    tier: tenant.tier,
    plan: tenant.plan,
    replicas: tenant.state === 'active' ? 1 : 0,
    image: defaultImage,
  };
}

/**
 * What it would be after a decision; null when the action does not concern the cluster or is not known here.
 *
 * *Shape* actions: `change_tier` with parameter `tier`; `set_replicas` with parameter `replicas`; `suspend`; `resume`.
 */
export function deploymentAfter(current: Deployment, decision: Pick<Decision, 'action'>): Deployment | null {
  const { name, parameters } = decision.action;
  if (name === 'change_tier') {
    const tier = Tier.safeParse(parameters['tier']);
    return tier.success ? { ...current, tier: tier.data } : null;
  }
  if (name === 'set_replicas') {
    const replicas = parameters['replicas'];
    const valid = typeof replicas === 'number' && Number.isInteger(replicas) && replicas >= 0 && replicas <= 50;
    return valid ? { ...current, replicas } : null;
  }
  if (name === 'suspend') return { ...current, replicas: 0 };
  if (name === 'resume') return { ...current, replicas: Math.max(1, current.replicas) };
  return null;
}

/** The plan that takes `before` to `after`; before null means that nothing is there yet. */
export function planDeployment(before: Deployment | null, after: Deployment): Plan {
  const objects = tenantObjects(after);
  const from = before === null ? '' : toYaml(tenantObjects(before));
  const name = `dotmac-tenant-${after.tenantId}.yaml`;
  const diff = createTwoFilesPatch(name, name, from, toYaml(objects), 'as wanted today', 'as planned', { context: 3 });
  return { objects, diff };
}

/** Several objects as one YAML stream, the way `kubectl apply -f` reads them. */
export function toYaml(objects: readonly KubernetesObject[]): string {
  return objects.map((object) => stringify(object, { aliasDuplicateObjects: false })).join('---\n');
}
