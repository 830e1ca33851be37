import { AppError } from 'streams/contract';
import { asInteger, asText, type Column, type SnmpReader, walkColumns } from './snmp-reader.ts';

const SYS_UP_TIME = '1.3.6.1.2.1.1.3.0';
const IF_TABLE_LAST_CHANGE = '1.3.6.1.2.1.31.1.5.0';
const ifEntry = (column: number) => `1.3.6.1.2.1.2.2.1.${column}`;
const ifXEntry = (column: number) => `1.3.6.1.2.1.31.1.1.1.${column}`;

/** Columns asked for together stand in one request, so a row's name and counters are of one moment. *Source* RFC 2863. */
const names = {
  name: ifXEntry(1),
  inHc: ifXEntry(6),
  outHc: ifXEntry(10),
  discontinuity: ifXEntry(19),
  highSpeed: ifXEntry(15),
};
const basics = {
  descr: ifEntry(2),
  in: ifEntry(10),
  out: ifEntry(16),
  operStatus: ifEntry(8),
  speed: ifEntry(5),
};
const faults = { inErrors: ifEntry(14), outErrors: ifEntry(20), inDiscards: ifEntry(13), outDiscards: ifEntry(19) };
const labels = { alias: ifXEntry(18), adminStatus: ifEntry(7) };

/** A counter's value and width. */
export interface RawCounter {
  readonly raw: bigint;
  readonly bits: 32 | 64;
}

/** One interface as the device shows it. *Units* bytes, packets, bits a second. */
export interface InterfaceReading {
  /** ifName, else ifDescr, else `if` and the index: what an interface is known by, its index may move. Unique within a reading. */
  readonly name: string;
  readonly index: string;
  readonly alias: string;
  readonly operStatus: string;
  readonly adminUp: boolean;
  readonly bitsPerSecond: number | null;
  readonly discontinuity: number | null;
  readonly octets: { readonly receive?: RawCounter; readonly transmit?: RawCounter };
  readonly errors: { readonly receive?: RawCounter; readonly transmit?: RawCounter };
  readonly discards: { readonly receive?: RawCounter; readonly transmit?: RawCounter };
}

export interface DeviceReading {
  /** *Units* hundredths of a second, 32 bits. */
  readonly upTimeTicks: number;
  readonly atMs: number;
  readonly interfaces: readonly InterfaceReading[];
}

type Tables = Readonly<
  Record<keyof typeof names | keyof typeof basics | keyof typeof faults | keyof typeof labels, Column>
>;

/**
 * Reads uptime and all interfaces of a device.
 *
 * *Errors* `agent.snmp_answer` (retryable) without sysUpTime, or when the device restarted or renumbered its interfaces meanwhile.
 */
export async function readInterfaces(reader: SnmpReader, nowMs: () => number): Promise<DeviceReading> {
  const before = await reader.get([SYS_UP_TIME, IF_TABLE_LAST_CHANGE]);
  const atMs = nowMs();
  const upTime = asInteger(before.get(SYS_UP_TIME));
  if (upTime === undefined) throw new AppError('agent.snmp_answer', 'no sysUpTime', { status: 502, retryable: true });
  const tables: Tables = {
    ...(await walkColumns(reader, names)),
    ...(await walkColumns(reader, basics)),
    ...(await walkColumns(reader, faults)),
    ...(await walkColumns(reader, labels)),
  };
  const after = await reader.get([SYS_UP_TIME, IF_TABLE_LAST_CHANGE]);
  const changed = before.get(IF_TABLE_LAST_CHANGE) !== after.get(IF_TABLE_LAST_CHANGE);
  const upTimeAfter = asInteger(after.get(SYS_UP_TIME)) ?? 0n;
  // a fall by nearly the whole range is the wrap after 497 days
  const restarted = upTimeAfter < upTime && upTime - upTimeAfter < 2n ** 31n;
  if (changed || restarted) {
    throw new AppError(
      'agent.snmp_answer',
      `the device ${changed ? 'renumbered its interfaces' : 'restarted'} while it was read`,
      {
        status: 502,
        retryable: true,
      },
    );
  }
  return { upTimeTicks: Number(upTime), atMs, interfaces: toInterfaces(tables) };
}

/** Pure mapping of the tables' columns to interfaces, in the order of their indexes. */
export function toInterfaces(tables: Tables): InterfaceReading[] {
  const indexes = [...new Set([...tables.descr.keys(), ...tables.name.keys()])].sort((a, b) => Number(a) - Number(b));
  const named = indexes.map((index) => ({ index, name: nameOf(tables, index) }));
  const uses = new Map<string, number>();
  for (const { name } of named) uses.set(name, (uses.get(name) ?? 0) + 1);
  return named.map(({ index, name }) => ({
    // two of one name cannot be told apart by it; their index then does, as well as it can
    name: (uses.get(name) ?? 0) > 1 ? `${name}#${index}` : name,
    index,
    alias: asText(tables.alias.get(index)),
    operStatus: operStatuses[Number(asInteger(tables.operStatus.get(index)) ?? 4n)] ?? 'unknown',
    adminUp: asInteger(tables.adminStatus.get(index)) !== 2n,
    bitsPerSecond: speedOf(tables, index),
    discontinuity: toNumber(asInteger(tables.discontinuity.get(index))),
    octets: pair(counter(tables, index, 'inHc', 'in'), counter(tables, index, 'outHc', 'out')),
    errors: pair(counter(tables, index, undefined, 'inErrors'), counter(tables, index, undefined, 'outErrors')),
    discards: pair(counter(tables, index, undefined, 'inDiscards'), counter(tables, index, undefined, 'outDiscards')),
  }));
}

/** ifOperStatus by number. */
const operStatuses = ['', 'up', 'down', 'testing', 'unknown', 'dormant', 'not_present', 'lower_layer_down'];

function nameOf(tables: Tables, index: string): string {
  return asText(tables.name.get(index)) || asText(tables.descr.get(index)) || `if${index}`;
}

/** ifHighSpeed is in millions of bits and rounds; ifSpeed ends at 4.29 Gbit/s. Both are 0 when nothing is known. */
function speedOf(tables: Tables, index: string): number | null {
  const high = asInteger(tables.highSpeed.get(index)) ?? 0n;
  const low = asInteger(tables.speed.get(index)) ?? 0n;
  if (low > 0n && low < 4_294_967_295n) return Number(low);
  return high > 0n ? Number(high) * 1_000_000 : null;
}

function counter(
  tables: Tables,
  index: string,
  wide: keyof Tables | undefined,
  narrow: keyof Tables,
): RawCounter | undefined {
  const high = wide === undefined ? undefined : asInteger(tables[wide].get(index));
  if (high !== undefined) return { raw: high, bits: 64 };
  const low = asInteger(tables[narrow].get(index));
  return low === undefined ? undefined : { raw: low, bits: 32 };
}

function pair(receive: RawCounter | undefined, transmit: RawCounter | undefined) {
  return { ...(receive === undefined ? {} : { receive }), ...(transmit === undefined ? {} : { transmit }) };
}

function toNumber(value: bigint | undefined): number | null {
  return value === undefined ? null : Number(value);
}
