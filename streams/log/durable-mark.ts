import { type LogFile, type LogFileSystem, readFully, replaceFile, writeAll } from './file-system.ts';
import { checksum } from './frame.ts';
import type { DurableMark } from './tail-recovery.ts';

/*
 * Mark => Base Size Crc
 * Base => u64    first offset of the segment being written
 * Size => u64    bytes of it that are on disk
 * Crc  => u32    CRC-32C of Base and Size, started from the partition's seed
 */
const markBytes = 20;
const name = 'durable.mark';

/**
 * Remembers how far a partition is on disk, so that recovery can tell a torn write from damage to acknowledged bytes.
 *
 * *Bias* written after each sync, beside the answers to it, and not synced itself: a process that is killed leaves it exact or one group low, a power cut leaves it low, never high.
 */
export class DurableMarkFile {
  readonly #file: LogFile;
  readonly #seed: number;

  private constructor(file: LogFile, seed: number) {
    this.#file = file;
    this.#seed = seed;
  }

  static async open(fs: LogFileSystem, directory: string, seed: number): Promise<DurableMarkFile> {
    if ((await fs.readFile(`${directory}/${name}`)) === null)
      await replaceFile(fs, directory, name, encode({ base: 0, size: 0 }, seed));
    return new DurableMarkFile(await fs.open(`${directory}/${name}`, 'r+'), seed);
  }

  /** The mark, null when it cannot be read back. */
  async read(): Promise<DurableMark | null> {
    const bytes = await readFully(this.#file, 0, markBytes);
    if (bytes.length < markBytes || checksum(bytes.subarray(0, 16), this.#seed) !== bytes.readUInt32LE(16)) return null;
    return { base: Number(bytes.readBigUInt64LE(0)), size: Number(bytes.readBigUInt64LE(8)) };
  }

  /** Notes a new end. A failure leaves the old, lower mark, which is still true. */
  async write(mark: DurableMark): Promise<void> {
    await writeAll(this.#file, [encode(mark, this.#seed)], 0).catch(() => 0);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

function encode(mark: DurableMark, seed: number): Buffer {
  const bytes = Buffer.alloc(markBytes);
  bytes.writeBigUInt64LE(BigInt(mark.base), 0);
  bytes.writeBigUInt64LE(BigInt(mark.size), 8);
  bytes.writeUInt32LE(checksum(bytes.subarray(0, 16), seed), 16);
  return bytes;
}
