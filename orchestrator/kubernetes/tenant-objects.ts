import type { Tier } from 'streams/contract';
import { tierResources } from './tiers.ts';

/** A Kubernetes object as it would be sent to the API server. */
export type KubernetesObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
};

/** What decides a tenant's objects: nothing else does, so equal inputs give equal objects. */
export interface Deployment {
  readonly tenantId: string;
  readonly tier: Tier;
  readonly plan: string;
  readonly replicas: number;
  readonly image: string;
}

/** The image that every instance runs until deployments carry their own version. */
export const defaultImage = 'dotmac/isp-framework:latest';

/**
 * The objects of a tenant's instance: a namespace of its own under the restricted pod security standard, a quota of its tier, default limits, default-deny networking,
 * a service account without a token, the workload and its service.
 *
 * *Source* Kubernetes pod security standards; check C40.
 */
export function tenantObjects(deployment: Deployment): KubernetesObject[] {
  const { tenantId } = deployment;
  const name = `dotmac-tenant-${tenantId}`;
  const labels = {
    'app.kubernetes.io/managed-by': 'dotmac-pulse',
    'app.kubernetes.io/part-of': 'dotmac',
    'dotmac.io/tenant': tenantId,
  };
  return [
    namespace(name, labels),
    resourceQuota(name, labels, deployment),
    limitRange(name, labels, deployment),
    networkPolicy(name, labels),
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'isp-framework', namespace: name, labels },
      automountServiceAccountToken: false,
    },
    workload(name, labels, deployment),
    service(name, labels),
  ];
}

type Labels = Readonly<Record<string, string>>;

function namespace(name: string, labels: Labels): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      labels: {
        ...labels,
        'pod-security.kubernetes.io/enforce': 'restricted',
        'pod-security.kubernetes.io/enforce-version': 'latest',
      },
    },
  };
}

function resourceQuota(name: string, labels: Labels, { tier }: Deployment): KubernetesObject {
  const { cpu, memory, storage } = tierResources[tier];
  return {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'tier', namespace: name, labels: { ...labels, 'dotmac.io/tier': tier } },
    spec: { hard: { 'limits.cpu': cpu, 'limits.memory': memory, 'requests.storage': storage, pods: '20' } },
  };
}

function limitRange(name: string, labels: Labels, { tier }: Deployment): KubernetesObject {
  const { cpu, memory } = tierResources[tier];
  return {
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: { name: 'defaults', namespace: name, labels },
    spec: { limits: [{ type: 'Container', default: { cpu, memory }, defaultRequest: { cpu: '50m', memory: '64Mi' } }] },
  };
}

function networkPolicy(name: string, labels: Labels): KubernetesObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'default-deny', namespace: name, labels },
    spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
  };
}

const appLabel = { app: 'isp-framework' };

function workload(
  name: string,
  labels: Labels,
  { tenantId, tier, plan, replicas, image }: Deployment,
): KubernetesObject {
  const { cpu, memory } = shareOf(tier, replicas);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: name, labels: { ...labels, ...appLabel } },
    spec: {
      replicas,
      selector: { matchLabels: appLabel },
      template: {
        metadata: { labels: { ...labels, ...appLabel } },
        spec: {
          serviceAccountName: 'isp-framework',
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [
            {
              name: 'isp-framework',
              image,
              ports: [{ name: 'http', containerPort: 8000 }],
              env: [
                { name: 'TENANT_ID', value: tenantId },
                { name: 'RESOURCE_TIER', value: tier },
                { name: 'LICENSE_PLAN', value: plan },
              ],
              resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { cpu, memory } },
              securityContext: {
                allowPrivilegeEscalation: false,
                capabilities: { drop: ['ALL'] },
                readOnlyRootFilesystem: true,
              },
              livenessProbe: { httpGet: { path: '/health', port: 'http' }, initialDelaySeconds: 30, periodSeconds: 10 },
              readinessProbe: { httpGet: { path: '/ready', port: 'http' }, initialDelaySeconds: 5, periodSeconds: 5 },
            },
          ],
        },
      },
    },
  };
}

function service(name: string, labels: Labels): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'isp-framework', namespace: name, labels },
    spec: { selector: appLabel, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
  };
}

/** Limits of one replica: the quota bounds the sum, so each gets an equal share. Whole millicores and mebibytes, rounded down. */
function shareOf(tier: Tier, replicas: number): { cpu: string; memory: string } {
  const millicores = { micro: 500, small: 1000, medium: 2000, large: 4000, xlarge: 8000 }[tier];
  const mebibytes = { micro: 512, small: 2048, medium: 4096, large: 8192, xlarge: 16_384 }[tier];
  const parts = Math.max(1, replicas);
  return { cpu: `${Math.floor(millicores / parts)}m`, memory: `${Math.floor(mebibytes / parts)}Mi` };
}
