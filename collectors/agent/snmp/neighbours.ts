import { asInteger, asText, type Column, type SnmpReader, type SnmpValue, walkColumns } from './snmp-reader.ts';

/** What a device sees on a wire of its own. */
export interface Neighbour {
  readonly source: 'lldp' | 'arp';
  /** Of the device asked; empty when it does not say. */
  readonly localInterface: string;
  /** Chassis id (LLDP) or hardware address (ARP). */
  readonly id: string;
  /** The neighbour's port (LLDP) or IP address (ARP). */
  readonly port: string;
  readonly name: string;
}

const lldpRemote = (column: number) => `1.0.8802.1.1.2.1.4.1.1.${column}`;
const lldpLocal = (column: number) => `1.0.8802.1.1.2.1.3.7.1.${column}`;
const IF_NAME = '1.3.6.1.2.1.31.1.1.1.1';

/** *Source* IEEE 802.1AB LLDP-MIB, lldpRemTable and lldpLocPortTable. */
const lldpColumns = {
  chassisSubtype: lldpRemote(4),
  chassis: lldpRemote(5),
  portSubtype: lldpRemote(6),
  port: lldpRemote(7),
  name: lldpRemote(9),
};
const localColumns = { subtype: lldpLocal(2), port: lldpLocal(3), descr: lldpLocal(4) };
/** *Source* RFC 4293 ipNetToPhysicalTable and, deprecated, ipNetToMediaTable. */
const arpColumns = { address: '1.3.6.1.2.1.4.35.1.4', type: '1.3.6.1.2.1.4.35.1.6' };
const oldArpColumns = { address: '1.3.6.1.2.1.4.22.1.2', type: '1.3.6.1.2.1.4.22.1.4' };

/** The neighbours of a device: by LLDP, or else, where it speaks none, by its ARP and neighbour-discovery cache. Sorted, each once. */
export async function readNeighbours(reader: SnmpReader): Promise<readonly Neighbour[]> {
  const lldp = await walkColumns(reader, lldpColumns);
  if (lldp.chassis.size > 0) return fromLldp(lldp, await walkColumns(reader, localColumns));
  const names = (await walkColumns(reader, { name: IF_NAME })).name;
  const arp = await walkColumns(reader, arpColumns);
  if (arp.address.size > 0) return fromArp(arp, names, addressOfPhysical);
  return fromArp(await walkColumns(reader, oldArpColumns), names, addressOfMedia);
}

/** Index: time mark, local port number, remote index. The time mark changes with every restart of the neighbour and says nothing. */
export function fromLldp(
  remote: Readonly<Record<keyof typeof lldpColumns, Column>>,
  local: Readonly<Record<keyof typeof localColumns, Column>>,
): Neighbour[] {
  const found = [...remote.chassis.keys()].map((index): Neighbour => {
    const localPort = index.split('.')[1] ?? '';
    const named = asInteger(local.subtype.get(localPort)) === 5n;
    return {
      source: 'lldp',
      localInterface: (named ? asText(local.port.get(localPort)) : asText(local.descr.get(localPort))) || localPort,
      // subtype 4 of a chassis and 3 of a port are MAC addresses
      id: identifier(remote.chassis.get(index), asInteger(remote.chassisSubtype.get(index)) === 4n),
      port: identifier(remote.port.get(index), asInteger(remote.portSubtype.get(index)) === 3n),
      name: asText(remote.name.get(index)),
    };
  });
  return distinct(found);
}

/** Entries of type invalid (2) and local (5 in the newer table) are no neighbours. */
export function fromArp(
  table: Readonly<Record<'address' | 'type', Column>>,
  names: Column,
  addressOf: (index: readonly string[]) => string | undefined,
): Neighbour[] {
  const found: Neighbour[] = [];
  for (const [index, address] of table.address) {
    const type = asInteger(table.type.get(index));
    const parts = index.split('.');
    const ip = addressOf(parts);
    const id = identifier(address, true);
    if (type === 2n || type === 5n || ip === undefined || id === '') continue;
    const ifIndex = parts[0] ?? '';
    found.push({ source: 'arp', localInterface: asText(names.get(ifIndex)) || ifIndex, id, port: ip, name: '' });
  }
  return distinct(found);
}

/** ifIndex, then the address. */
export function addressOfMedia(index: readonly string[]): string | undefined {
  return index.length === 5 ? index.slice(1).join('.') : undefined;
}

/** ifIndex, address type (1 IPv4, 2 IPv6), length, the address. */
export function addressOfPhysical(index: readonly string[]): string | undefined {
  const [, type, length, ...octets] = index;
  if (Number(length) !== octets.length) return undefined;
  if (type === '1' && octets.length === 4) return octets.join('.');
  if (type !== '2' || octets.length !== 16) return undefined;
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push((Number(octets[at]) * 256 + Number(octets[at + 1])).toString(16));
  return groups.join(':');
}

function identifier(value: SnmpValue | undefined, isHardware: boolean): string {
  if (!isHardware || !(value instanceof Uint8Array)) return asText(value);
  return Buffer.from(value)
    .toString('hex')
    .replace(/(..)(?=.)/g, '$1:');
}

function distinct(neighbours: readonly Neighbour[]): Neighbour[] {
  const byKey = new Map(neighbours.map((one) => [keyOf(one), one] as const));
  return [...byKey.keys()].sort().flatMap((key) => byKey.get(key) ?? []);
}

/** Equal for equal neighbours. */
export function keyOf(one: Neighbour): string {
  return JSON.stringify([one.localInterface, one.source, one.id, one.port, one.name]);
}

/** What came and what went between two lists. */
export function compareNeighbours(
  before: readonly Neighbour[],
  after: readonly Neighbour[],
): { readonly added: readonly Neighbour[]; readonly removed: readonly Neighbour[] } {
  const had = new Set(before.map(keyOf));
  const has = new Set(after.map(keyOf));
  return {
    added: after.filter((one) => !had.has(keyOf(one))),
    removed: before.filter((one) => !has.has(keyOf(one))),
  };
}
