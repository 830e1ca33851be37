/** Pure readers of Linux' text files. Each takes a file's content; a line that it does not know is passed over. */

/** *Units* seconds since boot, all CPUs together, by OpenTelemetry `cpu.mode`. *Source* proc_stat(5); USER_HZ is 100 on every supported platform. */
export function parseProcStat(content: string): ReadonlyMap<string, number> {
  const modes = ['user', 'nice', 'system', 'idle', 'iowait', 'interrupt', 'interrupt', 'steal'];
  const seconds = new Map<string, number>();
  const fields = /^cpu +(.+)$/m.exec(content)?.[1]?.trim().split(/\s+/) ?? [];
  for (const [index, mode] of modes.entries()) {
    const ticks = Number(fields[index]);
    if (Number.isFinite(ticks)) seconds.set(mode, (seconds.get(mode) ?? 0) + ticks / 100);
  }
  return seconds;
}

/** *Units* bytes, by the file's own names (`MemTotal`). *Source* proc_meminfo(5). */
export function parseMeminfo(content: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const match of content.matchAll(/^([^:\s]+):\s+(\d+) kB$/gm)) found.set(match[1] ?? '', Number(match[2]) * 1024);
  return found;
}

export interface InputOutput {
  readonly name: string;
  /** *Units* bytes since boot (or since the cgroup was made). */
  readonly read: number;
  readonly written: number;
}

/** Whole disks only: partitions, loops and RAM disks would count bytes twice. *Source* proc_diskstats(5), sectors of 512 bytes. */
export function parseDiskstats(content: string): InputOutput[] {
  const disks: InputOutput[] = [];
  for (const line of content.split('\n')) {
    const fields = line.trim().split(/\s+/);
    const name = fields[2];
    if (name === undefined || !/^(sd[a-z]+|vd[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+)$/.test(name)) continue;
    disks.push({ name, read: Number(fields[5]) * 512, written: Number(fields[9]) * 512 });
  }
  return disks;
}

export interface InterfaceBytes {
  readonly name: string;
  readonly received: number;
  readonly transmitted: number;
}

/** *Units* bytes since the interface came up, 64 bits in the kernel. *Source* proc_pid_net(5), dev. */
export function parseNetDev(content: string): InterfaceBytes[] {
  const interfaces: InterfaceBytes[] = [];
  for (const match of content.matchAll(/^\s*([^\s:|]+):\s*(.+)$/gm)) {
    const fields = (match[2] ?? '').trim().split(/\s+/).map(Number);
    interfaces.push({ name: match[1] ?? '', received: fields[0] ?? 0, transmitted: fields[8] ?? 0 });
  }
  return interfaces;
}

/** The path of this process in the version 2 hierarchy; undefined when it is in none. *Source* cgroups(7). */
export function parseSelfCgroup(content: string): string | undefined {
  return /^0::(\/.*)$/m.exec(content)?.[1];
}

/** *Units* seconds of CPU used since the cgroup was made; undefined when the file does not say. */
export function parseCgroupCpuSeconds(content: string): number | undefined {
  const micros = /^usage_usec (\d+)$/m.exec(content)?.[1];
  return micros === undefined ? undefined : Number(micros) / 1e6;
}

/** A cgroup's number, `max` being none. *Units* bytes. */
export function parseCgroupBytes(content: string): number | undefined {
  return /^\d+$/.test(content.trim()) ? Number(content.trim()) : undefined;
}

/** Bytes a device, named `major:minor`. *Source* cgroup v2, io.stat. */
export function parseCgroupIo(content: string): InputOutput[] {
  const devices: InputOutput[] = [];
  for (const match of content.matchAll(/^(\d+:\d+) .*?rbytes=(\d+) wbytes=(\d+)/gm)) {
    devices.push({ name: match[1] ?? '', read: Number(match[2]), written: Number(match[3]) });
  }
  return devices;
}
