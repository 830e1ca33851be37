import type { Signal } from '../contract/index.ts';
import { scaledDecimal } from './native-block.ts';
import type { Block } from './port.ts';

/** What one batch did to one (signal, tenant, hour). Sums are in units of 10^-12. */
export interface HourEntry {
  readonly signal: Signal;
  readonly tenant: number;
  /** Start of the UTC hour, seconds since the epoch. */
  readonly hour: number;
  accepted: number;
  logged: number;
  duplicates: number;
  acceptedSum: bigint;
  loggedSum: bigint;
  duplicateSum: bigint;
}

export const hourMs = 3_600_000;

/** Start of the UTC hour of an instant, seconds. */
export const hourOf = (timeMs: number): number => Math.floor(timeMs / hourMs) * 3600;

/** Gathers a batch's hand-overs by signal, tenant and hour. */
export class HourLedger {
  readonly #entries = new Map<string, HourEntry>();
  #last: HourEntry | undefined;

  at(signal: Signal, tenant: number, hour: number): HourEntry {
    const last = this.#last;
    if (last !== undefined && last.hour === hour && last.tenant === tenant && last.signal === signal) return last;
    const key = `${signal}/${tenant}/${hour}`;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      const none = { accepted: 0, logged: 0, duplicates: 0, acceptedSum: 0n, loggedSum: 0n, duplicateSum: 0n };
      entry = { signal, tenant, hour, ...none };
      this.#entries.set(key, entry);
    }
    this.#last = entry;
    return entry;
  }

  /** Adds an envelope's count of one hour. */
  accept(signal: Signal, tenant: number, count: { hour: number; records: number; sum?: string }): void {
    const entry = this.at(signal, tenant, count.hour);
    entry.accepted += count.records;
    if (count.sum !== undefined) entry.acceptedSum += scaledDecimal(count.sum, 12);
  }

  entries(): HourEntry[] {
    const order = (entry: HourEntry) => `${entry.signal}/${String(entry.tenant).padStart(10, '0')}/${entry.hour}`;
    return [...this.#entries.values()].sort((a, b) => (order(a) < order(b) ? -1 : 1));
  }

  /** The batch's rows for table `touched`, in an order that does not depend on arrival. */
  toBlock(batch: { token: string; last: number; partition: number; at: number }): Block {
    const entries = this.entries();
    const rows = entries.length;
    const column = (name: string, type: string, of: (entry: HourEntry) => unknown) => ({
      name,
      type,
      values: entries.map(of),
    });
    return {
      table: 'touched',
      rows,
      columns: [
        column('token', 'String', () => batch.token),
        column('signal', 'String', (entry) => entry.signal),
        column('tenant', 'UInt32', (entry) => entry.tenant),
        column('bucket', "DateTime('UTC')", (entry) => entry.hour),
        column('accepted', 'UInt64', (entry) => entry.accepted),
        column('logged', 'UInt64', (entry) => entry.logged),
        column('duplicates', 'UInt64', (entry) => entry.duplicates),
        column('accepted_sum', 'Decimal(38, 12)', (entry) => entry.acceptedSum),
        column('logged_sum', 'Decimal(38, 12)', (entry) => entry.loggedSum),
        column('duplicate_sum', 'Decimal(38, 12)', (entry) => entry.duplicateSum),
        column('seq', 'UInt64', () => batch.last),
        column('partition', 'UInt16', () => batch.partition),
        column('at', "DateTime64(3, 'UTC')", () => batch.at),
      ],
    };
  }
}
