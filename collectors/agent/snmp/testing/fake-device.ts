import { createSocket } from 'node:dgram';
import snmp from 'net-snmp';

/** Rows of a table: index (dotted) → column number → value. */
export type Rows = Readonly<Record<string, Readonly<Record<number, number | string | Buffer>>>>;

/** What a device shows. *Units* upTimeTicks in hundredths of a second. */
export interface Shown {
  readonly upTimeTicks: number;
  readonly ifTable?: Rows;
  readonly ifXTable?: Rows;
  readonly lldpRemTable?: Rows;
  readonly lldpLocPortTable?: Rows;
}

const { ObjectType, MibProviderType, MaxAccess } = snmp;
const { Integer, OctetString, Counter, Counter64, Gauge, TimeTicks } = ObjectType;

const tables = {
  ifTable: {
    oid: '1.3.6.1.2.1.2.2.1',
    indexes: 1,
    columns: {
      2: OctetString,
      5: Gauge,
      7: Integer,
      8: Integer,
      10: Counter,
      13: Counter,
      14: Counter,
      16: Counter,
      19: Counter,
      20: Counter,
    },
  },
  ifXTable: {
    oid: '1.3.6.1.2.1.31.1.1.1',
    indexes: 1,
    columns: { 1: OctetString, 6: Counter64, 10: Counter64, 15: Gauge, 18: OctetString, 19: TimeTicks },
  },
  lldpRemTable: {
    oid: '1.0.8802.1.1.2.1.4.1.1',
    indexes: 3,
    columns: { 4: Integer, 5: OctetString, 6: Integer, 7: OctetString, 9: OctetString },
  },
  lldpLocPortTable: {
    oid: '1.0.8802.1.1.2.1.3.7.1',
    indexes: 1,
    columns: { 2: Integer, 3: OctetString, 4: OctetString },
  },
} as const;

/** A device on loopback, by net-snmp's own agent: what a real snmpd cannot be made to show. */
export async function startFakeDevice(): Promise<{ readonly port: number; show(shown: Shown): void; stop(): void }> {
  const port = await freeUdpPort();
  const agent = snmp.createAgent({ port, address: '127.0.0.1' }, () => undefined);
  agent.getAuthorizer().addCommunity('public');
  return {
    port,
    show: (shown) => agent.setMib(toMib(shown)),
    stop: () => agent.close(),
  };
}

/** The library takes port 0 for 161. */
async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}

function toMib(shown: Shown) {
  const mib = snmp.createMib();
  const scalar = { type: MibProviderType.Scalar, scalarType: TimeTicks, maxAccess: MaxAccess['read-only'] };
  mib.registerProvider({ ...scalar, name: 'sysUpTime', oid: '1.3.6.1.2.1.1.3' });
  mib.setScalarValue('sysUpTime', shown.upTimeTicks);
  for (const [name, table] of Object.entries(tables)) {
    const rows = shown[name as keyof typeof tables];
    if (rows === undefined) continue;
    const indexes = Array.from({ length: table.indexes }, (_, at) => ({
      number: 200 + at,
      name: `index${at}`,
      type: Integer,
      maxAccess: MaxAccess['not-accessible'],
    }));
    const columns = Object.entries(table.columns);
    // a row that lacks a column lacks the object, so each shape of rows is a table of its own
    for (const [index, row] of Object.entries(rows)) {
      const own = columns.filter(([number]) => row[Number(number)] !== undefined);
      const part = `${name} ${index}`;
      mib.registerProvider({
        name: part,
        type: MibProviderType.Table,
        oid: table.oid,
        maxAccess: MaxAccess['not-accessible'],
        tableColumns: [
          ...indexes,
          ...own.map(([number, type]) => ({
            number: Number(number),
            name: `c${number}`,
            type,
            maxAccess: MaxAccess['read-only'],
          })),
        ],
        tableIndex: indexes.map((one) => ({ columnName: one.name })),
      });
      const isWide = (type: number) => type === Counter64;
      const cells = own.map(([number, type]) => (isWide(type) ? 0 : row[Number(number)]));
      mib.addTableRow(part, [...index.split('.').map(Number), ...cells]);
      // the agent checks a Counter64 as a number and writes it as bytes
      for (const [number, type] of own) {
        if (isWide(type)) mib.lookup(`${table.oid}.${number}.${index}`).value = row[Number(number)];
      }
    }
  }
  return mib;
}

/** A Counter64 as agents write it: no byte more than it needs, or a zero before a set highest bit. */
export function counter64(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return (bytes[0] ?? 0) >= 128 ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
}
