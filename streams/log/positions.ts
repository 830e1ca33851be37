import { AppError, invariant } from '../contract/index.ts';
import type { LogEnvironment } from './environment.ts';
import { type LogFile, readFully, replaceFile, writeAll } from './file-system.ts';
import { checksum } from './frame.ts';
import { corrupt } from './log-errors.ts';
import type { TopicName } from './port.ts';

/** Where a group stands in a partition: everything below `committed` is done, `plan` is the range in hand. */
export interface Position {
  readonly committed: number;
  readonly plan: { readonly first: number; readonly last: number } | null;
}

/*
 * A position file is two pages that are written in turn, so that a torn write leaves the other one.
 *
 *   File      => Page Page             4096 bytes each
 *   Page      => Sequence Committed Planned First Last Crc, then zeros
 *   Sequence  => u64    the valid page with the higher one counts
 *   Committed => u64
 *   Planned   => u64    1 when First and Last are a plan, else 0
 *   First     => u64
 *   Last      => u64
 *   Crc       => u32    CRC-32C of all before it, started from the CRC-32C of epoch/topic/partition/group
 */
const pageBytes = 4096;
const bodyBytes = 40;

interface Page {
  readonly sequence: number;
  readonly position: Position;
}

/** Plans and commits of one group in one partition, each durable when its write resolves. */
export class PositionFile {
  readonly #file: LogFile;
  readonly #seed: number;
  #page: Page;
  /** The page that does not hold the current state; a failed write stays on it, so the last good one is never touched. */
  #spare: 0 | 1;

  private constructor(file: LogFile, seed: number, page: Page, spare: 0 | 1) {
    this.#file = file;
    this.#seed = seed;
    this.#page = page;
    this.#spare = spare;
  }

  static async open(environment: LogEnvironment, path: string, seed: number): Promise<PositionFile> {
    const file = await environment.fs.open(path, 'r+');
    const bytes = await readFully(file, 0, 2 * pageBytes);
    const [a, b] = [decode(bytes.subarray(0, pageBytes), seed), decode(bytes.subarray(pageBytes), seed)];
    const current = a !== null && (b === null || a.sequence > b.sequence) ? a : b;
    if (current === null) {
      await file.close();
      throw corrupt(path, 0, 'neither page of the position file verifies');
    }
    const other = current === a ? bytes.subarray(pageBytes) : bytes.subarray(0, pageBytes);
    if ((a === null || b === null) && other.some((byte) => byte !== 0))
      environment.logger.warn(
        { file: path, position: current.position },
        'log: one page of a position file was torn, the other stands',
      );
    return new PositionFile(file, seed, current, current === a ? 1 : 0);
  }

  get position(): Position {
    return this.#page.position;
  }

  /** Replaces the position; on failure the old one stands. */
  async save(position: Position): Promise<void> {
    const page = { sequence: this.#page.sequence + 1, position };
    await writeAll(this.#file, [encode(page, this.#seed)], this.#spare * pageBytes);
    await this.#file.datasync();
    this.#page = page;
    this.#spare = this.#spare === 0 ? 1 : 0;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** All position files of a log: `positions/GROUP/TOPIC-PARTITION`. */
export class Positions {
  readonly #environment: LogEnvironment;
  readonly #directory: string;
  readonly #epoch: string;
  readonly #files = new Map<string, PositionFile>();

  constructor(environment: LogEnvironment, epoch: string) {
    this.#environment = environment;
    this.#directory = `${environment.directory}/positions`;
    this.#epoch = epoch;
  }

  async open(): Promise<void> {
    const { fs } = this.#environment;
    await fs.makeDirectory(this.#directory);
    for (const group of await fs.list(this.#directory)) {
      for (const name of await fs.list(`${this.#directory}/${group}`)) {
        if (name.endsWith('.new')) continue;
        const path = `${this.#directory}/${group}/${name}`;
        const id = `${name}/${group}`;
        this.#files.set(id, await PositionFile.open(this.#environment, path, this.#seed(id)));
      }
    }
  }

  /** The file of a group in a partition, null while the group has never run there. */
  find(topic: TopicName, partition: number, group: string): PositionFile | null {
    return this.#files.get(`${topic}-${partition}/${group}`) ?? null;
  }

  /** Makes sure that a group has a position; a new one starts at `first`. */
  async ensure(topic: TopicName, partition: number, group: string, first: number): Promise<PositionFile> {
    const known = this.find(topic, partition, group);
    if (known !== null) return known;
    const { fs } = this.#environment;
    const name = `${topic}-${partition}`;
    const id = `${name}/${group}`;
    const directory = `${this.#directory}/${group}`;
    await fs.makeDirectory(directory);
    await fs.syncDirectory(this.#directory);
    const page = encode({ sequence: 1, position: { committed: first, plan: null } }, this.#seed(id));
    await replaceFile(fs, directory, name, Buffer.concat([page, Buffer.alloc(pageBytes)]));
    const file = await PositionFile.open(this.#environment, `${directory}/${name}`, this.#seed(id));
    this.#files.set(id, file);
    return file;
  }

  /** Every group with a position in a partition. */
  of(topic: TopicName, partition: number): readonly { readonly group: string; readonly position: Position }[] {
    const prefix = `${topic}-${partition}/`;
    return [...this.#files].flatMap(([id, file]) =>
      id.startsWith(prefix) ? [{ group: id.slice(prefix.length), position: file.position }] : [],
    );
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
    this.#files.clear();
  }

  #seed(id: string): number {
    return checksum(Buffer.from(`${this.#epoch}/${id}`));
  }
}

/** A group's name is a directory's name. *Errors* `log.group_invalid`. */
export function checkGroup(group: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/.test(group)) return group;
  throw new AppError('log.group_invalid', 'a group is 1 to 100 letters, digits, "-" and "_"', {
    status: 400,
    field: 'group',
  });
}

function encode(page: Page, seed: number): Buffer {
  const { committed, plan } = page.position;
  invariant(plan === null || plan.first <= plan.last, 'a plan has at least one record');
  const bytes = Buffer.alloc(pageBytes);
  const numbers = [page.sequence, committed, plan === null ? 0 : 1, plan?.first ?? 0, plan?.last ?? 0];
  for (const [at, number] of numbers.entries()) bytes.writeBigUInt64LE(BigInt(number), at * 8);
  bytes.writeUInt32LE(checksum(bytes.subarray(0, bodyBytes), seed), bodyBytes);
  return bytes;
}

function decode(bytes: Buffer, seed: number): Page | null {
  if (bytes.length < bodyBytes + 4) return null;
  if (checksum(bytes.subarray(0, bodyBytes), seed) !== bytes.readUInt32LE(bodyBytes)) return null;
  const number = (at: number) => Number(bytes.readBigUInt64LE(at * 8));
  const plan = number(2) === 1 ? { first: number(3), last: number(4) } : null;
  return { sequence: number(0), position: { committed: number(1), plan } };
}
