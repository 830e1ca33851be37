import { describe, expect, test } from 'vitest';
import { deploymentAfter, planDeployment } from './plan.ts';
import { type Deployment, defaultImage, tenantObjects } from './tenant-objects.ts';

const small: Deployment = {
  tenantId: 'isp-alpha',
  tier: 'small',
  plan: 'professional',
  replicas: 1,
  image: defaultImage,
};
const find = (deployment: Deployment, kind: string) => tenantObjects(deployment).find((object) => object.kind === kind);

describe("a tenant's objects", () => {
  test('live in a namespace of its own under the restricted standard', () => {
    const objects = tenantObjects(small);
    expect(objects[0]?.metadata.name).toBe('dotmac-tenant-isp-alpha');
    expect(objects[0]?.metadata.labels['pod-security.kubernetes.io/enforce']).toBe('restricted');
    for (const object of objects.slice(1)) expect(object.metadata.namespace).toBe('dotmac-tenant-isp-alpha');
  });
  test('carry the quota of the tier', () => {
    expect(find(small, 'ResourceQuota')?.['spec']).toEqual({
      hard: { 'limits.cpu': '1', 'limits.memory': '2Gi', 'requests.storage': '20Gi', pods: '20' },
    });
  });
  test('deny traffic by default and mount no token', () => {
    expect(find(small, 'NetworkPolicy')?.['spec']).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    expect(find(small, 'ServiceAccount')?.['automountServiceAccountToken']).toBe(false);
    expect(JSON.stringify(find(small, 'Deployment'))).toContain('"automountServiceAccountToken":false');
  });
  test('never ask for more than the quota, however many replicas', () => {
    for (const replicas of [1, 2, 3, 7]) {
      const text = JSON.stringify(find({ ...small, replicas }, 'Deployment'));
      const millicores = Number(/"limits":\{"cpu":"(\d+)m"/.exec(text)?.[1]);
      expect(millicores * replicas).toBeLessThanOrEqual(1000);
      expect(millicores).toBeGreaterThan(0);
    }
  });
});

describe('a plan', () => {
  test('shows exactly what a change of tier would change', () => {
    const after = deploymentAfter(small, { action: { name: 'change_tier', parameters: { tier: 'medium' } } });
    expect(after?.tier).toBe('medium');
    const { diff } = planDeployment(small, after ?? small);
    const changed = diff.split('\n').filter((line) => /^[+-] /.test(line));
    expect(changed).toContain('-    limits.cpu: "1"');
    expect(changed).toContain('+    limits.cpu: "2"');
    expect(changed.some((line) => line.includes('dotmac.io/tenant:'))).toBe(false);
  });
  test('of nothing changed has no change lines; of a new tenant has only additions', () => {
    expect(
      planDeployment(small, small)
        .diff.split('\n')
        .filter((line) => /^[+-][^+-]/.test(line)),
    ).toEqual([]);
    const lines = planDeployment(null, small)
      .diff.split('\n')
      .filter((line) => /^[+-][^+-]/.test(line));
    expect(lines.length).toBeGreaterThan(50);
    expect(lines.every((line) => line.startsWith('+'))).toBe(true);
  });
  test.each([
    [{ name: 'change_tier', parameters: { tier: 'giant' } }],
    [{ name: 'set_replicas', parameters: { replicas: 1.5 } }],
    [{ name: 'set_replicas', parameters: { replicas: -1 } }],
    [{ name: 'delete_everything', parameters: {} }],
  ])('is refused for the action %j', (action) => {
    expect(deploymentAfter(small, { action })).toBeNull();
  });
});
