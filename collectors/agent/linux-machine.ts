import { lstat, readdir, readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type InputOutput,
  type InterfaceBytes,
  parseCgroupBytes,
  parseCgroupCpuSeconds,
  parseCgroupIo,
  parseDiskstats,
  parseMeminfo,
  parseNetDev,
  parseProcStat,
  parseSelfCgroup,
} from './linux-parsers.ts';

/** One reading of the machine. A figure that cannot be read is undefined, never 0. *Units* seconds and bytes. */
export interface MachineReading {
  /** `cgroup` when container figures are this process' cgroup's, `machine` when they are the whole machine's. */
  readonly scope: 'cgroup' | 'machine';
  readonly containerCpuSeconds: number | undefined;
  readonly containerMemoryBytes: number | undefined;
  readonly containerMemoryLimitBytes: number | undefined;
  readonly containerIo: readonly InputOutput[];
  readonly cpuSeconds: ReadonlyMap<string, number>;
  readonly memory: ReadonlyMap<string, number>;
  readonly disks: readonly InputOutput[];
  readonly interfaces: readonly InterfaceBytes[];
}

/** Reads cgroup v2 and /proc. `root` stands for `/` so that tests can lay out a machine. */
export async function readMachine(root = '/'): Promise<MachineReading> {
  const file = (...path: string[]) => readText(join(root, ...path));
  const [stat, meminfo, diskstats, netdev, self] = await Promise.all([
    file('proc/stat'),
    file('proc/meminfo'),
    file('proc/diskstats'),
    file('proc/net/dev'),
    file('proc/self/cgroup'),
  ]);
  const cpuSeconds = parseProcStat(stat);
  const memory = parseMeminfo(meminfo);
  const group = await readCgroup(root, parseSelfCgroup(self));
  const machine = {
    scope: 'machine' as const,
    containerCpuSeconds: busySeconds(cpuSeconds),
    containerMemoryBytes: usedMemory(memory),
    containerMemoryLimitBytes: memory.get('MemTotal'),
    containerIo: [],
  };
  return {
    ...(group ?? machine),
    cpuSeconds,
    memory,
    disks: parseDiskstats(diskstats),
    interfaces: parseNetDev(netdev),
  };
}

type Container = Pick<
  MachineReading,
  'scope' | 'containerCpuSeconds' | 'containerMemoryBytes' | 'containerMemoryLimitBytes' | 'containerIo'
>;

/** Inside a container the namespace shows its own cgroup as the root; the root of a machine has no memory.current, then there is none. */
async function readCgroup(root: string, path: string | undefined): Promise<Container | undefined> {
  if (path === undefined) return undefined;
  const folder = join(root, 'sys/fs/cgroup', path);
  const [cpu, current, max, io] = await Promise.all(
    ['cpu.stat', 'memory.current', 'memory.max', 'io.stat'].map((name) => readText(join(folder, name))),
  );
  const containerMemoryBytes = parseCgroupBytes(current ?? '');
  const containerCpuSeconds = parseCgroupCpuSeconds(cpu ?? '');
  if (containerMemoryBytes === undefined || containerCpuSeconds === undefined) return undefined;
  return {
    scope: 'cgroup',
    containerCpuSeconds,
    containerMemoryBytes,
    containerMemoryLimitBytes: parseCgroupBytes(max ?? ''),
    containerIo: parseCgroupIo(io ?? ''),
  };
}

export function usedMemory(memory: ReadonlyMap<string, number>): number | undefined {
  const total = memory.get('MemTotal');
  const available = memory.get('MemAvailable');
  return total === undefined || available === undefined ? undefined : total - available;
}

function busySeconds(cpu: ReadonlyMap<string, number>): number | undefined {
  if (cpu.size === 0) return undefined;
  let busy = 0;
  for (const [mode, seconds] of cpu) if (mode !== 'idle' && mode !== 'iowait') busy += seconds;
  return busy;
}

/** Used and free bytes of the file system that holds `path`. */
export async function readFileSystem(path: string): Promise<{ used: number; free: number }> {
  const found = await statfs(path);
  return { used: (found.blocks - found.bfree) * found.bsize, free: found.bavail * found.bsize };
}

/** Bytes on disk below a folder, allocated blocks as `du` counts them. *Bias* files that vanish meanwhile are left out. */
export async function folderBytes(folder: string): Promise<number> {
  let total = 0;
  const waiting = [folder];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const current = next;
    const entries = await readdir(current, { withFileTypes: true }).catch(vanished);
    for (const entry of entries ?? []) {
      const path = join(current, entry.name);
      if (entry.isDirectory()) waiting.push(path);
      else if (entry.isFile()) total += ((await lstat(path).catch(vanished))?.blocks ?? 0) * 512;
    }
  }
  return total;
}

/** Absent files are no figures; anything else is an error worth seeing. */
function vanished(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
    return undefined;
  throw error;
}

/** Linux answers some cgroup files with EACCES or EINVAL where a controller is off: no figure, like an absent file. */
async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
