import { z } from 'zod';

/**
 * The part of the kubelet's answer that is read.
 *
 * *Shape* `k8s.io/kubelet/pkg/apis/stats/v1alpha1`, types Summary, NodeStats, PodStats, ContainerStats, CPUStats, MemoryStats, NetworkStats, FsStats, VolumeStats:
 * every figure is a pointer there, so any may be absent; unknown fields are passed over. *Units* nanoseconds of CPU, nanocores, bytes.
 */
const figure = z.number().min(0).nullish();
const time = z.iso.datetime({ offset: true }).nullish();

const Cpu = z.object({ time, usageNanoCores: figure, usageCoreNanoSeconds: figure });
const Memory = z.object({
  time,
  availableBytes: figure,
  usageBytes: figure,
  workingSetBytes: figure,
  rssBytes: figure,
  pageFaults: figure,
  majorPageFaults: figure,
});
const Interface = z.object({
  name: z.string().default(''),
  rxBytes: figure,
  rxErrors: figure,
  txBytes: figure,
  txErrors: figure,
});
const Network = Interface.extend({ time, interfaces: z.array(Interface).nullish() });
const FileSystem = z.object({ time, availableBytes: figure, capacityBytes: figure, usedBytes: figure });
const Container = z.object({
  name: z.string(),
  startTime: time,
  cpu: Cpu.nullish(),
  memory: Memory.nullish(),
  rootfs: FileSystem.nullish(),
  logs: FileSystem.nullish(),
});
const Pod = z.object({
  podRef: z.object({ name: z.string(), namespace: z.string(), uid: z.string().default('') }),
  startTime: time,
  containers: z
    .array(Container)
    .nullish()
    .transform((list) => list ?? []),
  network: Network.nullish(),
  volume: z
    .array(FileSystem.extend({ name: z.string() }))
    .nullish()
    .transform((list) => list ?? []),
});
const Node = z.object({
  nodeName: z.string(),
  startTime: time,
  cpu: Cpu.nullish(),
  memory: Memory.nullish(),
  network: Network.nullish(),
  fs: FileSystem.nullish(),
});

export const Summary = z.object({
  node: Node,
  pods: z
    .array(Pod)
    .nullish()
    .transform((list) => list ?? []),
});
export type Summary = z.infer<typeof Summary>;
export type ContainerStats = z.infer<typeof Container>;
export type PodStats = z.infer<typeof Pod>;
export type NetworkStats = z.infer<typeof Network>;
