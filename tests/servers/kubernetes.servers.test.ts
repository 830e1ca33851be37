import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environmentNames, ServerConfig } from 'streams/runtime';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { until } from '../pulse-process.ts';

const root = join(import.meta.dirname, '../..');
const script = join(import.meta.dirname, 'kubernetes.sh');
const manifests = join(root, 'deploy/kubernetes');
const overlay = join(manifests, 'overlays/example');
const dir = mkdtempSync(join(tmpdir(), 'pulse-kubernetes-'));

interface KubernetesObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  // biome-ignore lint/suspicious/noExplicitAny: objects of every kind, as the API server gives them
  readonly [field: string]: any;
}

function kubectl(args: readonly string[], input?: string): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(script, ['kubectl', dir, ...args], { encoding: 'utf8', ...(input === undefined ? {} : { input }) });
}
function run(args: readonly string[], input?: string): string {
  const { status, stdout, stderr } = kubectl(args, input);
  expect([status, stderr], `kubectl ${args.join(' ')}`).toEqual([0, '']);
  return stdout;
}
const read = (...args: string[]) => JSON.parse(run(['get', '-o', 'json', ...args])) as KubernetesObject;

beforeAll(() => {
  // Its servers would hold pipes open: their output goes to files of their own.
  const { status } = spawnSync(script, ['start', dir], { stdio: ['ignore', 'ignore', 'inherit'] });
  expect(status).toBe(0);
}, 1_500_000);
afterAll(() => {
  spawnSync(script, ['kill9', dir], { stdio: 'ignore' });
  rmSync(dir, { recursive: true, force: true });
});

let objects: KubernetesObject[] = [];
const ofKind = (kind: string) => objects.filter((one) => one.kind === kind);
const workloads = () => [...ofKind('Deployment'), ...ofKind('StatefulSet')];
const podOf = (workload: KubernetesObject) => workload['spec'].template;

describe('the manifests', () => {
  test('are accepted by the API server in a dry run, without a warning, the Secret of the template too', () => {
    run(['apply', '--server-side', '-f', join(manifests, 'base/namespace.yaml')]);
    const answer = run(['apply', '--server-side', '--dry-run=server', '-o', 'yaml', '-k', overlay]);
    objects = parseAllDocuments(answer).flatMap((one) => {
      const value = one.toJS() as KubernetesObject & { readonly items?: KubernetesObject[] };
      return value.items ?? [value];
    });
    expect(objects.length).toBeGreaterThan(30);
    run(['apply', '--server-side', '--dry-run=server', '-f', join(manifests, 'secret.template.yaml')]);
    // The server sees what is wrong: a field that does not exist, a selector that does not select its own pods.
    const wrong = run(['create', 'deployment', 'x', '--image=x', '--dry-run=client', '-o', 'yaml']).replace(
      'replicas: 1',
      'replcas: 1',
    );
    const refused = kubectl(['apply', '--server-side', '--dry-run=server', '-n', 'pulse', '-f', '-'], wrong);
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('replcas')]);
  });

  test('run each target once, with settings that the server reads', () => {
    const targets = workloads().map((one) => String(podOf(one).spec.containers[0].args[0]).replace('--target=', ''));
    expect(targets.toSorted()).toEqual(['analytics', 'api', 'billing', 'ingest', 'orchestrator', 'streams', 'web']);
    const [config] = ofKind('ConfigMap');
    const secrets = Object.keys(
      parseAllDocuments(readFileSync(join(manifests, 'secret.template.yaml'), 'utf8'))[0]?.toJS().stringData,
    );
    for (const workload of workloads()) {
      const { env } = podOf(workload).spec.containers[0];
      for (const { name, valueFrom } of env) {
        expect(Object.keys(environmentNames)).toContain(name);
        if (valueFrom) expect(secrets).toContain(valueFrom.secretKeyRef.key);
      }
    }
    for (const name of Object.keys(config?.['data'])) expect(Object.keys(environmentNames)).toContain(name);
    const environment = {
      ...config?.['data'],
      PULSE_OPERATOR_TOKEN: `op_${'a'.repeat(43)}`,
      PULSE_POSTGRES_URL: 'postgres://u:p@h/d',
      PULSE_CLICKHOUSE_URL: 'http://u:p@h:8123/d',
    };
    const checked = spawnSync(process.execPath, ['main.ts', `--target=${targets.join(',')}`, '--check-config'], {
      cwd: root,
      env: { PATH: process.env['PATH'], ...environment },
      encoding: 'utf8',
    });
    expect([checked.status, checked.stderr]).toEqual([0, '']);
  });

  test('give every pod the least: no root, no rights, no token, a root file system that is read-only, limits', () => {
    for (const workload of workloads()) {
      const { spec } = podOf(workload);
      const [container] = spec.containers;
      expect(spec.automountServiceAccountToken).toBe(false);
      expect(spec.enableServiceLinks).toBe(false);
      expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(Object.keys(container.resources.limits)).toEqual(['cpu', 'memory']);
      expect(container.image).toMatch(/^registry\.example\.net\/dotmac\/pulse:\d+\.\d+\.\d+$/);
      expect([container.livenessProbe.httpGet.path, container.readinessProbe.httpGet.path]).toEqual([
        '/healthz',
        '/readyz',
      ]);
      // Endpoints learn first, then the drain of 20 s.
      expect(spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(
        container.lifecycle.preStop.sleep.seconds + 20 + 10,
      );
      expect(spec.topologySpreadConstraints.length).toBe(2);
      const mounts = container.volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
      expect(mounts).toContain('/var/lib/pulse');
    }
    for (const account of ofKind('ServiceAccount')) expect(account['automountServiceAccountToken']).toBe(false);
    expect(objects.some(({ kind }) => /Role|Binding/.test(kind))).toBe(false);
  });

  test('agree with each other: services, budgets, policies, autoscaler and paths lead to pods and ports that exist', () => {
    const pods = workloads().map((one) => ({
      labels: podOf(one).metadata.labels as Record<string, string>,
      ports: podOf(one).spec.containers[0].ports as { name: string; containerPort: number }[],
    }));
    const chosen = (labels: Record<string, string> = {}) =>
      pods.filter((pod) => Object.entries(labels).every(([key, value]) => pod.labels[key] === value));
    const { httpPort, otlpHttpPort, otlpGrpcPort } = ServerConfig.parse({});
    for (const service of ofKind('Service')) {
      const [pod, ...others] = chosen(service['spec'].selector);
      expect(others).toEqual([]);
      for (const { targetPort } of service['spec'].ports)
        expect(
          pod?.ports.map(({ name }) => name),
          service.metadata.name,
        ).toContain(targetPort);
    }
    for (const { ports } of pods)
      for (const { containerPort } of ports) expect([httpPort, otlpHttpPort, otlpGrpcPort]).toContain(containerPort);
    const budgets = ofKind('PodDisruptionBudget').map((one) => chosen(one['spec'].selector.matchLabels).length);
    expect(budgets).toEqual(pods.map(() => 1));
    const services = new Map(
      ofKind('Service').map((one) => [one.metadata.name, one['spec'].ports.map(({ name }: { name: string }) => name)]),
    );
    const paths = new Map<string, string>();
    for (const ingress of ofKind('Ingress')) {
      for (const { path, backend } of ingress['spec'].rules[0].http.paths) {
        expect(services.get(backend.service.name), path).toContain(backend.service.port.name);
        if (ingress.metadata.name === 'pulse') paths.set(path, `${backend.service.name}:${backend.service.port.name}`);
      }
      expect(ingress['spec'].tls[0].hosts).toEqual([ingress['spec'].rules[0].host]);
    }
    expect(Object.fromEntries(paths)).toMatchObject({
      '/api': 'pulse-api:http',
      '/': 'pulse-web:http',
      '/v1': 'pulse-ingest:otlp-http',
      '/api/v1/plugins/usage-events': 'pulse-ingest:http',
    });
    const [scaler] = ofKind('HorizontalPodAutoscaler');
    expect(workloads().map(({ kind, metadata }) => `${kind}/${metadata.name}`)).toContain(
      `${scaler?.['spec'].scaleTargetRef.kind}/${scaler?.['spec'].scaleTargetRef.name}`,
    );
  });

  test('let nothing through the network but what is named', () => {
    const policies = ofKind('NetworkPolicy');
    const everything = policies.find(({ metadata }) => metadata.name === 'default-deny');
    expect(everything?.['spec']).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    const lists = policies.flatMap(({ metadata, spec }) =>
      [...(spec.ingress ?? []), ...(spec.egress ?? [])].map((rule) => ({ name: metadata.name, rule })),
    );
    expect(lists.length).toBeGreaterThan(6);
    for (const { name, rule } of lists) {
      const peers = [...(rule.from ?? []), ...(rule.to ?? [])];
      expect(peers.length, name).toBeGreaterThan(0);
      for (const peer of peers) {
        expect(Object.keys(peer.namespaceSelector?.matchLabels ?? {}), name).toEqual(['kubernetes.io/metadata.name']);
        if (rule.to) expect(Object.keys(peer.podSelector?.matchLabels ?? {}).length, name).toBe(1);
      }
      for (const { port } of rule.ports) expect(port, name).toEqual(expect.any(Number));
      expect(rule.ports.length).toBeGreaterThan(0);
    }
    // Brokers of the configuration are reached at the port that the policy opens.
    const [config] = ofKind('ConfigMap');
    const log = policies.find(({ metadata }) => metadata.name === 'log');
    for (const broker of String(config?.['data'].PULSE_KAFKA_BROKERS).split(',')) {
      expect(broker).toMatch(new RegExp(`\\.pulse-data\\.svc:${log?.['spec'].egress[0].ports[0].port}$`));
    }
  });
});

describe('a cluster', () => {
  /** Volumes for the spools: nothing provisions them here. */
  const volumes = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: `spool-${index}` },
      spec: {
        capacity: { storage: '20Gi' },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Retain',
        hostPath: { path: `/tmp/none-${index}` },
      },
    }));

  test('brings everything up, without a warning of its pod security', async () => {
    run(['apply', '--server-side', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: volumes(3) }));
    // Applied twice: the second time changes nothing and conflicts with nobody, the autoscaler included.
    run(['apply', '--server-side', '-k', overlay]);
    const available = async () => read('deployments,statefulsets', '-n', 'pulse')['items'] as KubernetesObject[];
    const isUp = ({ kind, spec, status }: KubernetesObject) =>
      kind === 'Deployment'
        ? status.availableReplicas === spec.replicas
        : status.readyReplicas === spec.replicas && spec.replicas >= 1;
    const up = await until(available, (all) => all.length === 7 && all.every(isUp), 60);
    expect(up.filter(isUp).map(({ metadata }) => metadata.name).length).toBe(7);
    expect(up.find(({ metadata }) => metadata.name === 'pulse-streams')?.['spec'].replicas).toBe(3);
    run(['apply', '--server-side', '-k', overlay]);
    const pods = read('pods', '-n', 'pulse')['items'] as KubernetesObject[];
    expect(pods.length).toBeGreaterThanOrEqual(14);
    expect(pods.every(({ status }) => status.phase === 'Running')).toBe(true);
  });

  test('has two doors or more by the autoscaler, which the manifests do not fight', async () => {
    const replicas = async () => read('statefulset', 'pulse-ingest', '-n', 'pulse')['spec'].replicas as number;
    expect(await until(replicas, (count) => count >= 2, 60)).toBeGreaterThanOrEqual(2);
    run(['apply', '--server-side', '-k', overlay]);
    expect(await replicas()).toBeGreaterThanOrEqual(2);
  });

  test('keeps two of three when a new version does not come up, and lets no node take one of those', async () => {
    const streams = () =>
      read('deployment', 'pulse-streams', '-n', 'pulse')['status'] as { availableReplicas?: number };
    const annotate = (value: string | null) =>
      run([
        ...['patch', 'deployment', 'pulse-streams', '-n', 'pulse', '--type=merge', '-p'],
        JSON.stringify({ spec: { template: { metadata: { annotations: { 'pulse-test/pod': value } } } } }),
      ]);
    annotate('pending');
    const budget = async () => read('pdb', 'pulse-streams', '-n', 'pulse')['status'].disruptionsAllowed as number;
    expect(await until(budget, (allowed) => allowed === 0, 30)).toBe(0);
    expect(streams().availableReplicas).toBe(2);
    const pods = read('pods', '-n', 'pulse', '-l', 'app.kubernetes.io/component=streams')[
      'items'
    ] as KubernetesObject[];
    const running = pods.find(({ status }) => status.phase === 'Running')?.metadata.name;
    const file = join(dir, 'eviction.json');
    writeFileSync(
      file,
      JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: running, namespace: 'pulse' } }),
    );
    const evicted = kubectl(['create', '--raw', `/api/v1/namespaces/pulse/pods/${running}/eviction`, '-f', file]);
    expect([evicted.status, evicted.stderr]).toEqual([1, expect.stringContaining('disruption budget')]);
    annotate(null);
    await until(
      async () => streams().availableReplicas,
      (count) => count === 3,
      60,
    );
  });

  test('refuses a pod that wants more than the namespace allows', () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'greedy', namespace: 'pulse' },
      spec: { containers: [{ name: 'a', image: 'a', securityContext: { privileged: true } }] },
    };
    const { status, stderr } = kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify(pod));
    expect([status, stderr]).toEqual([1, expect.stringContaining('violates PodSecurity "restricted:latest"')]);
  });
});
