import { expect, it } from 'vitest';
import {
  parseCgroupBytes,
  parseCgroupCpuSeconds,
  parseCgroupIo,
  parseDiskstats,
  parseMeminfo,
  parseNetDev,
  parseProcStat,
  parseSelfCgroup,
} from './linux-parsers.ts';

it('/proc/stat: seconds by mode, both interrupt columns together', () => {
  const modes = parseProcStat('cpu  100 20 300 4000 50 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\nintr 5\n');
  expect(Object.fromEntries(modes)).toEqual({
    user: 1,
    nice: 0.2,
    system: 3,
    idle: 40,
    iowait: 0.5,
    interrupt: 0.13,
    steal: 0.08,
  });
  expect(parseProcStat('').size).toBe(0);
});

it('/proc/meminfo: bytes', () => {
  const memory = parseMeminfo('MemTotal:       1024 kB\nMemAvailable:    512 kB\nHugePages_Total:       3\n');
  expect(Object.fromEntries(memory)).toEqual({ MemTotal: 1048576, MemAvailable: 524288 });
});

it('/proc/diskstats: whole disks, no partitions or loops', () => {
  const text = [
    '   8       0 sda 100 0 2000 10 50 0 400 5 0 0 0',
    '   8       1 sda1 90 0 1900 10 50 0 400 5 0 0 0',
    ' 259       0 nvme0n1 1 0 8 0 1 0 16 0 0 0 0',
    ' 259       1 nvme0n1p1 1 0 8 0 1 0 16 0 0 0 0',
    '   7       0 loop0 1 0 8 0 1 0 16 0 0 0 0',
  ].join('\n');
  expect(parseDiskstats(text)).toEqual([
    { name: 'sda', read: 1_024_000, written: 204_800 },
    { name: 'nvme0n1', read: 4096, written: 8192 },
  ]);
});

it('/proc/net/dev: received and transmitted, whatever the column widths', () => {
  const text =
    'Inter-|   Receive                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes packets\n    lo: 10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n  eth0:5000000000 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n';
  expect(parseNetDev(text)).toEqual([
    { name: 'lo', received: 10, transmitted: 20 },
    { name: 'eth0', received: 5_000_000_000, transmitted: 7 },
  ]);
});

it('cgroup version 2 files', () => {
  expect(parseSelfCgroup('12:cpu:/x\n0::/system.slice/a.service\n')).toBe('/system.slice/a.service');
  expect(parseSelfCgroup('12:cpu:/x\n')).toBeUndefined();
  expect(parseCgroupCpuSeconds('usage_usec 2500000\nuser_usec 1\n')).toBe(2.5);
  expect(parseCgroupCpuSeconds('')).toBeUndefined();
  expect(parseCgroupBytes('4096\n')).toBe(4096);
  expect(parseCgroupBytes('max\n')).toBeUndefined();
  expect(parseCgroupIo('8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n253:1 rbytes=1 wbytes=2\n')).toEqual([
    { name: '8:0', read: 10, written: 20 },
    { name: '253:1', read: 1, written: 2 },
  ]);
});
