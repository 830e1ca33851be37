import type { MeasuredMetric, MeasuredPoint } from '@dotmac/pulse-sdk';
import type { ContainerStats, NetworkStats, PodStats, Summary } from './summary.ts';

const metric = (
  name: string,
  unit: string,
  kind: MeasuredMetric['kind'],
  valueType: MeasuredMetric['valueType'] = 'integer',
): MeasuredMetric => ({ name, unit, kind, valueType });

/** OpenTelemetry's names for what the kubelet says. */
export const kubeletMetrics = {
  cpuTime: metric('container.cpu.time', 's', 'counter', 'double'),
  cpuUsage: metric('container.cpu.usage', '{cpu}', 'gauge', 'double'),
  memoryUsage: metric('container.memory.usage', 'By', 'gauge'),
  memoryWorkingSet: metric('container.memory.working_set', 'By', 'gauge'),
  memoryRss: metric('container.memory.rss', 'By', 'gauge'),
  memoryAvailable: metric('container.memory.available', 'By', 'gauge'),
  fileSystemUsage: metric('container.filesystem.usage', 'By', 'gauge'),
  fileSystemCapacity: metric('container.filesystem.capacity', 'By', 'gauge'),
  fileSystemAvailable: metric('container.filesystem.available', 'By', 'gauge'),
  podNetwork: metric('k8s.pod.network.io', 'By', 'counter'),
  podNetworkErrors: metric('k8s.pod.network.errors', '{error}', 'counter'),
  volumeCapacity: metric('k8s.volume.capacity', 'By', 'gauge'),
  volumeAvailable: metric('k8s.volume.available', 'By', 'gauge'),
  nodeCpuUsage: metric('k8s.node.cpu.usage', '{cpu}', 'gauge', 'double'),
  nodeCpuTime: metric('k8s.node.cpu.time', 's', 'counter', 'double'),
  nodeMemoryUsage: metric('k8s.node.memory.usage', 'By', 'gauge'),
  nodeMemoryWorkingSet: metric('k8s.node.memory.working_set', 'By', 'gauge'),
  nodeNetwork: metric('k8s.node.network.io', 'By', 'counter'),
  nodeFileSystemUsage: metric('k8s.node.filesystem.usage', 'By', 'gauge'),
  nodeFileSystemCapacity: metric('k8s.node.filesystem.capacity', 'By', 'gauge'),
} as const;

type Show = (
  metric: MeasuredMetric,
  value: number | null | undefined,
  attributes?: Readonly<Record<string, string>>,
) => void;

/**
 * What the kubelet said, as points.
 *
 * *Shape* a figure that it did not give is no point, never 0; each group of figures carries the time at which the kubelet took it, else `atMs`; counters start when their container, pod or node did.
 */
export function toPoints(summary: Summary, atMs: number, namespaces: ReadonlySet<string> | null): MeasuredPoint[] {
  const points: MeasuredPoint[] = [];
  const { node } = summary;
  const nodeName = { 'k8s.node.name': node.nodeName };
  const shower = (
    base: Readonly<Record<string, string>>,
    start: string | null | undefined,
    taken: string | null | undefined,
  ): Show => {
    const at = toMs(taken) ?? atMs;
    const startMs = Math.min(toMs(start) ?? at, at);
    return (of, value, attributes = {}) => {
      if (value === null || value === undefined) return;
      // a sum of bytes beyond 2^53 would be rounded; no container carries as much
      points.push({ metric: of, value, attributes: { ...base, ...attributes }, startMs, atMs: at });
    };
  };
  // the whole node belongs to nobody: it is sent only when all of its pods are
  if (namespaces === null) showNode(summary, (taken) => shower(nodeName, node.startTime, taken));
  for (const pod of summary.pods) {
    if (namespaces !== null && !namespaces.has(pod.podRef.namespace)) continue;
    const base = {
      ...nodeName,
      'k8s.namespace.name': pod.podRef.namespace,
      'k8s.pod.name': pod.podRef.name,
      ...(pod.podRef.uid === '' ? {} : { 'k8s.pod.uid': pod.podRef.uid }),
    };
    showPod(pod, (taken) => shower(base, pod.startTime, taken));
    for (const container of pod.containers) {
      const own = { ...base, 'k8s.container.name': container.name };
      showContainer(container, (taken) => shower(own, container.startTime, taken));
    }
  }
  return points;
}

type Shower = (taken: string | null | undefined) => Show;

function showContainer({ cpu, memory, rootfs, logs }: ContainerStats, at: Shower): void {
  const ofCpu = at(cpu?.time);
  ofCpu(kubeletMetrics.cpuUsage, scaled(cpu?.usageNanoCores));
  ofCpu(kubeletMetrics.cpuTime, scaled(cpu?.usageCoreNanoSeconds));
  const ofMemory = at(memory?.time);
  ofMemory(kubeletMetrics.memoryUsage, memory?.usageBytes);
  ofMemory(kubeletMetrics.memoryWorkingSet, memory?.workingSetBytes);
  ofMemory(kubeletMetrics.memoryRss, memory?.rssBytes);
  ofMemory(kubeletMetrics.memoryAvailable, memory?.availableBytes);
  for (const [name, files] of [
    ['rootfs', rootfs],
    ['logs', logs],
  ] as const) {
    const ofFiles = at(files?.time);
    ofFiles(kubeletMetrics.fileSystemUsage, files?.usedBytes, { 'container.filesystem': name });
    ofFiles(kubeletMetrics.fileSystemCapacity, files?.capacityBytes, { 'container.filesystem': name });
    ofFiles(kubeletMetrics.fileSystemAvailable, files?.availableBytes, { 'container.filesystem': name });
  }
}

function showPod({ network, volume }: PodStats, at: Shower): void {
  showNetwork(network, at, kubeletMetrics.podNetwork, kubeletMetrics.podNetworkErrors);
  for (const one of volume) {
    const ofVolume = at(one.time);
    ofVolume(kubeletMetrics.volumeCapacity, one.capacityBytes, { 'k8s.volume.name': one.name });
    ofVolume(kubeletMetrics.volumeAvailable, one.availableBytes, { 'k8s.volume.name': one.name });
  }
}

function showNode({ node }: Summary, at: Shower): void {
  const ofCpu = at(node.cpu?.time);
  ofCpu(kubeletMetrics.nodeCpuUsage, scaled(node.cpu?.usageNanoCores));
  ofCpu(kubeletMetrics.nodeCpuTime, scaled(node.cpu?.usageCoreNanoSeconds));
  const ofMemory = at(node.memory?.time);
  ofMemory(kubeletMetrics.nodeMemoryUsage, node.memory?.usageBytes);
  ofMemory(kubeletMetrics.nodeMemoryWorkingSet, node.memory?.workingSetBytes);
  const ofFiles = at(node.fs?.time);
  ofFiles(kubeletMetrics.nodeFileSystemUsage, node.fs?.usedBytes);
  ofFiles(kubeletMetrics.nodeFileSystemCapacity, node.fs?.capacityBytes);
  showNetwork(node.network, at, kubeletMetrics.nodeNetwork, undefined);
}

/** All interfaces where they are listed; the figures beside the list are those of the default interface again. */
function showNetwork(
  network: NetworkStats | null | undefined,
  at: Shower,
  bytes: MeasuredMetric,
  errors: MeasuredMetric | undefined,
): void {
  if (network === null || network === undefined) return;
  const show = at(network.time);
  const listed = network.interfaces ?? [];
  for (const one of listed.length > 0 ? listed : [network]) {
    const name = { 'network.interface.name': one.name };
    show(bytes, one.rxBytes, { ...name, 'network.io.direction': 'receive' });
    show(bytes, one.txBytes, { ...name, 'network.io.direction': 'transmit' });
    if (errors === undefined) continue;
    show(errors, one.rxErrors, { ...name, 'network.io.direction': 'receive' });
    show(errors, one.txErrors, { ...name, 'network.io.direction': 'transmit' });
  }
}

function scaled(nano: number | null | undefined): number | undefined {
  return nano === null || nano === undefined ? undefined : nano / 1e9;
}

function toMs(instant: string | null | undefined): number | undefined {
  return instant === null || instant === undefined ? undefined : Date.parse(instant);
}
