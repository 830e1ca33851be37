import { expect, it } from 'vitest';
import { readInterfaces } from './if-mib.ts';
import { addressOfPhysical, compareNeighbours, readNeighbours } from './neighbours.ts';
import { toUnsigned } from './net-snmp-reader.ts';
import { asText, type SnmpReader, type SnmpValue, walkColumns } from './snmp-reader.ts';

const bytes = (...octets: number[]) => Uint8Array.from(octets);
const text = (value: string) => new TextEncoder().encode(value);
const order = (a: string, b: string) => {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    const difference = (left[at] ?? -1) - (right[at] ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
};

/** A device made of objects; `repetitions` cuts its answers short, as devices with small buffers do. */
function device(
  objects: Readonly<Record<string, SnmpValue>>,
  repetitions = Number.POSITIVE_INFINITY,
): SnmpReader & { asked: number } {
  const sorted = Object.keys(objects).sort(order);
  return {
    asked: 0,
    async get(oids) {
      return new Map(oids.flatMap((oid) => (objects[oid] === undefined ? [] : [[oid, objects[oid]] as const])));
    },
    async getBulk(oids, wanted) {
      this.asked += 1;
      return oids.map((oid) => {
        const from = sorted.findIndex((one) => order(one, oid) > 0);
        if (from === -1) return [{ oid, value: null }];
        return sorted
          .slice(from, from + Math.min(wanted, repetitions))
          .map((one) => ({ oid: one, value: objects[one] ?? null }));
      });
    },
  };
}

it('reads all rows of columns of unequal length, whatever the device gives at once', async () => {
  const objects: Record<string, SnmpValue> = { '1.3.9.0': 1n };
  for (let row = 1; row <= 37; row += 1) {
    objects[`1.3.1.${row}`] = BigInt(row);
    if (row % 3 === 0) objects[`1.3.2.${row}`] = text(`row ${row}`);
  }
  for (const repetitions of [1, 3, 100]) {
    const columns = await walkColumns(device(objects, repetitions), { a: '1.3.1', b: '1.3.2', none: '1.3.5' });
    expect([...columns.a.values()]).toEqual(Array.from({ length: 37 }, (_, row) => BigInt(row + 1)));
    expect([...columns.b.keys()]).toEqual(Array.from({ length: 12 }, (_, row) => `${row * 3 + 3}`));
    expect(columns.none.size).toBe(0);
  }
});

it('a device that answers nothing, or without end, is an error and no hang', async () => {
  const empty: SnmpReader = { get: async () => new Map(), getBulk: async () => [] };
  await expect(walkColumns(empty, { a: '1.3.1' })).rejects.toMatchObject({ code: 'agent.snmp_answer' });
  let next = 0;
  const endless: SnmpReader = {
    get: async () => new Map(),
    getBulk: async () => [
      Array.from({ length: 10 }, () => {
        next += 1;
        return { oid: `1.3.1.${next}`, value: 1n };
      }),
    ],
  };
  await expect(walkColumns(endless, { a: '1.3.1' })).rejects.toMatchObject({ code: 'agent.snmp_answer' });
});

const ifTable = (index: number, name: string, more: Readonly<Record<string, SnmpValue>> = {}) => ({
  [`1.3.6.1.2.1.2.2.1.2.${index}`]: text(`${name} of the device`),
  [`1.3.6.1.2.1.2.2.1.8.${index}`]: 1n,
  [`1.3.6.1.2.1.2.2.1.10.${index}`]: 111n,
  [`1.3.6.1.2.1.2.2.1.16.${index}`]: 222n,
  [`1.3.6.1.2.1.31.1.1.1.1.${index}`]: text(name),
  ...more,
});
const upTime = { '1.3.6.1.2.1.1.3.0': 500n };

it('takes 64-bit counters where there are some, 32-bit ones where not, and the speed that is not cut off', async () => {
  const objects = {
    ...upTime,
    ...ifTable(1, 'ge-0', {
      '1.3.6.1.2.1.31.1.1.1.6.1': 2n ** 63n,
      '1.3.6.1.2.1.31.1.1.1.15.1': 10_000n,
      '1.3.6.1.2.1.2.2.1.5.1': 4_294_967_295n,
    }),
    ...ifTable(20, 'old', { '1.3.6.1.2.1.2.2.1.5.20': 9_600n }),
  };
  const { interfaces } = await readInterfaces(device(objects), () => 7);
  expect(interfaces).toMatchObject([
    {
      name: 'ge-0',
      bitsPerSecond: 1e10,
      octets: { receive: { raw: 2n ** 63n, bits: 64 }, transmit: { raw: 222n, bits: 32 } },
    },
    { name: 'old', bitsPerSecond: 9_600, octets: { receive: { raw: 111n, bits: 32 } } },
  ]);
});

it('interfaces of one name are told apart, and one without a name has its description or its index', async () => {
  const objects = {
    ...upTime,
    ...ifTable(1, 'same'),
    ...ifTable(2, 'same'),
    '1.3.6.1.2.1.2.2.1.2.3': text('described'),
    '1.3.6.1.2.1.2.2.1.2.4': text(''),
  };
  const { interfaces } = await readInterfaces(device(objects), () => 7);
  expect(interfaces.map((one) => one.name)).toEqual(['same#1', 'same#2', 'described', 'if4']);
});

it('a device that restarts or renumbers while it is read gives no reading', async () => {
  const reader = device({ ...upTime, ...ifTable(1, 'a'), '1.3.6.1.2.1.31.1.5.0': 3n });
  const change = (objects: Readonly<Record<string, SnmpValue>>): SnmpReader => {
    let calls = 0;
    return {
      getBulk: reader.getBulk.bind(reader),
      get: async (oids) => {
        calls += 1;
        return calls === 1 ? reader.get(oids) : new Map(Object.entries(objects));
      },
    };
  };
  const restarted = change({ '1.3.6.1.2.1.1.3.0': 10n, '1.3.6.1.2.1.31.1.5.0': 3n });
  await expect(readInterfaces(restarted, () => 7)).rejects.toMatchObject({ code: 'agent.snmp_answer' });
  const renumbered = change({ '1.3.6.1.2.1.1.3.0': 600n, '1.3.6.1.2.1.31.1.5.0': 590n });
  await expect(readInterfaces(renumbered, () => 7)).rejects.toMatchObject({ code: 'agent.snmp_answer' });
  await expect(readInterfaces(device({}), () => 7)).rejects.toMatchObject({ code: 'agent.snmp_answer' });
});

const lldp = (column: number, index: string) => `1.0.8802.1.1.2.1.4.1.1.${column}.${index}`;
it('neighbours by LLDP, named by the interface they are on', async () => {
  const objects: Record<string, SnmpValue> = {
    [lldp(4, '77.3.1')]: 4n,
    [lldp(5, '77.3.1')]: bytes(0, 0x1b, 0x21, 0xaa, 0xbb, 0xcc),
    [lldp(6, '77.3.1')]: 5n,
    [lldp(7, '77.3.1')]: text('xe-0/0/1'),
    [lldp(9, '77.3.1')]: text('edge-2'),
    '1.0.8802.1.1.2.1.3.7.1.2.3': 5n,
    '1.0.8802.1.1.2.1.3.7.1.3.3': text('ge-0/0/3'),
    '1.3.6.1.2.1.4.22.1.2.1.10.0.0.9': bytes(1, 2, 3, 4, 5, 6),
  };
  expect(await readNeighbours(device(objects))).toEqual([
    { source: 'lldp', localInterface: 'ge-0/0/3', id: '00:1b:21:aa:bb:cc', port: 'xe-0/0/1', name: 'edge-2' },
  ]);
});

it('neighbours by ARP where there is no LLDP, without invalid and own entries', async () => {
  const old = (address: string) => `1.3.6.1.2.1.4.22.1.2.7.${address}`;
  const objects: Record<string, SnmpValue> = {
    [old('10.0.0.9')]: bytes(1, 2, 3, 4, 5, 6),
    [old('10.0.0.10')]: bytes(1, 2, 3, 4, 5, 7),
    '1.3.6.1.2.1.4.22.1.4.7.10.0.0.10': 2n,
    '1.3.6.1.2.1.31.1.1.1.1.7': text('eth7'),
  };
  expect(await readNeighbours(device(objects))).toEqual([
    { source: 'arp', localInterface: 'eth7', id: '01:02:03:04:05:06', port: '10.0.0.9', name: '' },
  ]);
  expect(addressOfPhysical('7.2.16.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.1'.split('.'))).toBe('fe80:0:0:0:0:0:0:1');
  expect(addressOfPhysical('7.1.5.10.0.0.1'.split('.'))).toBeUndefined();
  const before = { source: 'arp', localInterface: 'e', id: 'a', port: '1', name: '' } as const;
  const after = { ...before, port: '2' };
  expect(compareNeighbours([before], [after])).toEqual({ added: [after], removed: [before] });
});

it('a Counter64 of any length is read unsigned, text loses what no terminal should see', () => {
  expect(toUnsigned(bytes())).toBe(0n);
  expect(toUnsigned(bytes(0x7f))).toBe(127n);
  expect(toUnsigned(bytes(0, 255, 255, 255, 255, 255, 255, 255, 255))).toBe(2n ** 64n - 1n);
  expect(toUnsigned(bytes(255, 255, 255, 255, 255, 255, 255, 255))).toBe(2n ** 64n - 1n);
  expect(asText(bytes(27, 91, 65, 255, 0))).toBe('[A');
});
