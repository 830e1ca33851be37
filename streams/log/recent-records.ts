import type { StoredRecord } from './stored-record.ts';

/** What a record costs beside its payload: headers, key, objects. */
const overheadBytes = 1024;

/**
 * The records appended last, packed as they were written: a consumer that keeps up reads them without file and checksum.
 *
 * *Shape* a gapless run of offsets that ends with the newest one; the oldest are forgotten first. *Bias* bounded by bytes: whoever is further behind reads the segments.
 */
export class RecentRecords {
  readonly #bytesMax: number;
  #records: StoredRecord[] = [];
  /** Index in `#records` of the oldest one still held; the array is cut when half of it is dead. */
  #head = 0;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  push(record: StoredRecord): void {
    const last = this.#records.at(-1);
    if (last !== undefined && last.offset + 1 !== record.offset) this.clear();
    this.#records.push(record);
    this.#bytes += record.heldBytes + overheadBytes;
    while (this.#bytes > this.#bytesMax) this.#dropOldest();
  }

  at(offset: number): StoredRecord | undefined {
    const first = this.#records[this.#head];
    return first === undefined || offset < first.offset ? undefined : this.#records[this.#head + offset - first.offset];
  }

  clear(): void {
    this.#records = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  /** Forgets everything before `offset`. */
  dropBefore(offset: number): void {
    for (let first = this.#records[this.#head]; first !== undefined && first.offset < offset; ) {
      this.#dropOldest();
      first = this.#records[this.#head];
    }
  }

  #dropOldest(): void {
    const oldest = this.#records[this.#head];
    if (oldest === undefined) return;
    this.#bytes -= oldest.heldBytes + overheadBytes;
    this.#head += 1;
    if (this.#head * 2 >= this.#records.length) {
      this.#records = this.#records.slice(this.#head);
      this.#head = 0;
    }
  }
}
