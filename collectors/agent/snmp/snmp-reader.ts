import { AppError } from 'streams/contract';

/** A value of an object: counters and integers as bigint, octets as bytes, OIDs and addresses as text. */
export type SnmpValue = bigint | Uint8Array | string;

/** A device that can be asked. An object that it does not have is absent. */
export interface SnmpReader {
  get(oids: readonly string[]): Promise<ReadonlyMap<string, SnmpValue>>;
  /** GETBULK: for each OID what follows it, in the order of the device. */
  getBulk(
    oids: readonly string[],
    repetitions: number,
  ): Promise<readonly (readonly { readonly oid: string; readonly value: SnmpValue | null }[])[]>;
}

/** A column of a table: index (the rest of the OID) → value. */
export type Column = ReadonlyMap<string, SnmpValue>;

/** A table with more rows is not a device's but an agent in error. */
const ROWS_MAX = 10_000;
const REPETITIONS = 10;

/**
 * Reads columns of a table side by side, so that the values of a row are of nearly the same moment.
 *
 * *Errors* `agent.snmp_answer` when the device goes in a circle or never ends.
 */
export async function walkColumns<Name extends string>(
  reader: SnmpReader,
  columns: Readonly<Record<Name, string>>,
): Promise<Readonly<Record<Name, Column>>> {
  const names = Object.keys(columns) as Name[];
  const found = Object.fromEntries(names.map((name) => [name, new Map()])) as Record<Name, Map<string, SnmpValue>>;
  let open = names.map((name) => ({ name, root: `${columns[name]}.`, cursor: columns[name] }));
  while (open.length > 0) {
    const answer = await reader.getBulk(
      open.map(({ cursor }) => cursor),
      REPETITIONS,
    );
    // a short answer may leave out whole columns; they are asked again
    const next: typeof open = [];
    let moved = false;
    for (const [at, column] of open.entries()) {
      const rows = answer[at] ?? [];
      const inside = rows.findIndex(({ oid, value }) => value === null || !oid.startsWith(column.root));
      const kept = inside === -1 ? rows : rows.slice(0, inside);
      for (const { oid, value } of kept) {
        if (value !== null) found[column.name].set(oid.slice(column.root.length), value);
      }
      if (found[column.name].size > ROWS_MAX) throw answerError(`more than ${ROWS_MAX} rows in ${column.root}`);
      const last = kept.at(-1)?.oid;
      moved ||= inside !== -1 || last !== undefined;
      if (inside === -1) next.push({ ...column, cursor: last ?? column.cursor });
    }
    if (!moved) throw answerError(`no answer goes beyond ${open[0]?.cursor ?? 'the start'}`);
    open = next;
  }
  return found;
}

function answerError(message: string): AppError {
  return new AppError('agent.snmp_answer', message, { status: 502, retryable: true });
}

/** A counter or integer, undefined when it is absent or no number. */
export function asInteger(value: SnmpValue | undefined): bigint | undefined {
  return typeof value === 'bigint' ? value : undefined;
}

/** Octets as text: UTF-8 without control characters (RFC 2863 DisplayString is ASCII, devices write what they like). */
export function asText(value: SnmpValue | undefined): string {
  if (value === undefined || typeof value === 'bigint') return '';
  const text = typeof value === 'string' ? value : new TextDecoder().decode(value);
  return text
    .replace(/[\p{Cc}\ufffd]/gu, '')
    .trim()
    .slice(0, 255);
}
