import { AppError, invariant } from '../contract/index.ts';
import { DurableMarkFile } from './durable-mark.ts';
import type { LogEnvironment } from './environment.ts';
import { type LogFile, writeAll } from './file-system.ts';
import { checksumSeed, encodeFrame, type Frame, frameBytes, type PreparedMessage } from './frame.ts';
import { corrupt, unavailable } from './log-errors.ts';
import type { LogRecord, TopicName } from './port.ts';
import { RecentRecords } from './recent-records.ts';
import { readFrames, type Segment, SparseIndex, segmentBase, segmentName } from './segment.ts';
import { StoredRecord, unpackedBytes } from './stored-record.ts';
import { type DurableMark, recoverTail } from './tail-recovery.ts';

/** Messages of one call that wait for their sync together. */
interface Waiting {
  readonly messages: readonly PreparedMessage[];
  readonly bytes: number;
  resolve(first: number): void;
  reject(error: unknown): void;
}

/** What must be done before the next write: nothing, cut torn bytes off, or cut them off and go on in a new file. */
type Damage = 'none' | 'torn' | 'unsynced';

/** Bytes that share one write and one sync at most: more would only make the first of them wait longer. */
const groupBytesMax = 16 * 1024 * 1024;
const repairDelayMs = 1000;
/** A mark at most so often: it may be low, and each costs the thread that answers. */
const markPauseMs = 20;

/** One partition: its segments, its group commit, its readers. Single writer; every state change happens in {@link Partition.#drain}. */
export class Partition {
  readonly topic: TopicName;
  readonly number: number;
  readonly #environment: LogEnvironment;
  readonly #directory: string;
  readonly #seed: number;
  readonly #segments: Segment[] = [];
  readonly #recent: RecentRecords;
  readonly #wakers = new Set<() => void>();
  #waiting: Waiting[] = [];
  #draining: Promise<void> | null = null;
  #file: LogFile | null = null;
  #mark: DurableMarkFile | null = null;
  #unmarked: DurableMark | null = null;
  #marking: Promise<void> | null = null;
  #damage: Damage = 'none';
  #next = 0;
  #repairTimer: NodeJS.Timeout | undefined;

  constructor(environment: LogEnvironment, topic: TopicName, number: number, epoch: string) {
    this.topic = topic;
    this.number = number;
    this.#environment = environment;
    this.#directory = `${environment.directory}/${topic}/${number}`;
    this.#seed = checksumSeed(epoch, topic, number);
    this.#recent = new RecentRecords(environment.recentBytes);
  }

  /** Oldest offset still kept. */
  get first(): number {
    return this.#segments[0]?.base ?? 0;
  }

  /** Offset that the next record gets; every smaller one is on disk. */
  get next(): number {
    return this.#next;
  }

  /** False after a failed write or sync until the next append has repaired the file. */
  get healthy(): boolean {
    return this.#damage === 'none';
  }

  /** Opens the segments and verifies the last one. *Errors* `log.corrupt`. */
  async open(): Promise<void> {
    const { fs } = this.#environment;
    await fs.makeDirectory(this.#directory);
    this.#mark = await DurableMarkFile.open(fs, this.#directory, this.#seed);
    const bases = (await fs.list(this.#directory)).flatMap((name) => segmentBase(name) ?? []).sort((a, b) => a - b);
    for (const [at, base] of bases.entries()) {
      const path = `${this.#directory}/${segmentName(base)}`;
      const size = await this.#sizeOf(path);
      this.#segments.push({ base, path, index: new SparseIndex(base), size, end: bases[at + 1] ?? null });
    }
    const mark = await this.#mark.read();
    const reached = this.#segments.at(-1)?.base ?? -1;
    if (mark !== null && mark.base > reached && mark.base + mark.size > 0)
      throw corrupt(`${this.#directory}/${segmentName(mark.base)}`, 0, 'the segment written last is missing');
    if (this.#segments.length === 0) await this.#createSegment(0);
    await this.#openLast(mark);
  }

  async #openLast(mark: DurableMark | null): Promise<void> {
    const last = this.#segments.pop();
    invariant(last !== undefined && this.#mark !== null, 'a partition has a segment and a mark');
    this.#file ??= await this.#environment.fs.open(last.path, 'r+');
    const tail = await recoverTail({ file: this.#file, path: last.path, base: last.base, seed: this.#seed, mark });
    if (tail.tornBytes > 0) {
      await this.#file.truncate(tail.size);
      this.#environment.observer.trimmed(tail.tornBytes);
      this.#environment.logger.warn(
        { file: last.path, position: tail.size, bytes: tail.tornBytes },
        'log: torn tail trimmed',
      );
    }
    if (tail.missingBytes > 0)
      this.#environment.logger.error(
        { file: last.path, position: tail.size, bytes: tail.missingBytes },
        'log: acknowledged bytes are missing at the end of the log',
      );
    // A killed process can leave frames that no sync has covered: they count from here on, so they are made durable now.
    await this.#file.datasync();
    this.#segments.push({ ...last, index: tail.index, size: tail.size });
    this.#next = tail.next;
    await this.#mark.write({ base: last.base, size: tail.size });
  }

  async #sizeOf(path: string): Promise<number> {
    const file = await this.#environment.fs.open(path, 'r');
    try {
      return await file.size();
    } finally {
      await file.close();
    }
  }

  /** Queues messages for the next group. Resolves with the offset of the first when all are on disk. */
  append(messages: readonly PreparedMessage[]): Promise<number> {
    const bytes = messages.reduce((sum, message) => sum + frameBytes(message), 0);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ messages, bytes, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  /** Waits until nothing is queued, then closes the files. */
  async close(): Promise<void> {
    while (this.#draining !== null) await this.#draining;
    this.#recent.clear();
    clearTimeout(this.#repairTimer);
    await this.#marking;
    await this.#file?.close();
    await this.#mark?.close();
    this.#file = null;
    this.#mark = null;
  }

  async #drain(): Promise<void> {
    // One turn later: calls made together share the first group.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      try {
        const first = await this.#commit(group);
        this.#resolveAll(group, first);
      } catch (error) {
        // Everything queued behind the failure is refused with it: order is kept, and nobody waits for a disk that may stay broken.
        const refused = [...group, ...this.#waiting];
        this.#waiting = [];
        for (const waiting of refused) waiting.reject(error);
      }
    }
    this.#draining = null;
    if (!this.healthy) this.#repairLater();
  }

  /** Without traffic nobody would find out that the disk works again, and readiness keeps traffic away. */
  #repairLater(): void {
    clearTimeout(this.#repairTimer);
    this.#repairTimer = setTimeout(() => {
      if (this.healthy || this.#file === null) return;
      this.#draining ??= this.#makeWritable()
        .catch((error: unknown) => this.#reportRepair(error))
        .then(() => this.#drain());
    }, repairDelayMs);
    this.#repairTimer.unref();
  }

  #reportRepair(error: unknown): void {
    this.#environment.logger.error({ err: error, topic: this.topic, partition: this.number }, 'log: repair failed');
  }

  #takeGroup(): readonly Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      bytes += waiting.bytes;
      if (count > 0 && bytes > groupBytesMax) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  #resolveAll(group: readonly Waiting[], first: number): void {
    let offset = first;
    for (const waiting of group) {
      waiting.resolve(offset);
      offset += waiting.messages.length;
    }
    for (const wake of [...this.#wakers]) wake();
  }

  /** Writes and syncs one group. On any failure nothing of it becomes visible and the damage is noted for the next group to repair. */
  async #commit(group: readonly Waiting[]): Promise<number> {
    try {
      await this.#makeWritable();
    } catch (error) {
      this.#reportRepair(error);
      throw unavailable('the segment cannot be made ready', error);
    }
    const segment = this.#last();
    const file = this.#file;
    invariant(file !== null, 'an open partition has a file');
    const first = this.#next;
    const placed = place(group, segment.size, first, this.#seed);
    // What a failure would leave: no damage while the write is only in hand.
    let risk: Damage = 'torn';
    try {
      await writeAll(file, placed.buffers, segment.size);
      risk = 'unsynced';
      const started = performance.now();
      await file.datasync();
      this.#environment.observer.synced((performance.now() - started) / 1000);
    } catch (error) {
      this.#damage = risk;
      this.#environment.logger.error({ err: error, file: segment.path, damage: risk }, 'log: write failed');
      throw unavailable(risk === 'torn' ? 'writing failed' : 'syncing failed', error);
    }
    for (const [offset, position] of placed.positions) segment.index.note(offset, position);
    const bytes = placed.end - segment.size;
    segment.size = placed.end;
    this.#remember(group, first);
    this.#next = placed.next;
    this.#environment.observer.appended(this.topic, placed.next - first, bytes);
    this.#unmarked = { base: segment.base, size: segment.size };
    this.#marking ??= this.#writeMark();
    return first;
  }

  /** Beside the next group: nobody waits for a note that may be low anyway. */
  async #writeMark(): Promise<void> {
    for (;;) {
      const mark = this.#unmarked;
      if (mark === null) break;
      this.#unmarked = null;
      await this.#mark?.write(mark);
      await new Promise((resolve) => setTimeout(resolve, markPauseMs));
    }
    this.#marking = null;
  }

  #remember(group: readonly Waiting[], first: number): void {
    if (this.#environment.recentBytes === 0) return;
    let offset = first;
    for (const { message, appendedAt, payload, compressed, payloadBytes } of group.flatMap((one) => one.messages)) {
      invariant(message !== undefined && payloadBytes !== undefined, 'an appended message knows what was handed over');
      // What is not compressed is the caller's own memory.
      const packed = { bytes: compressed ? payload : new Uint8Array(payload), compressed };
      this.#recent.push(new StoredRecord(this.#place(offset, appendedAt), message, packed, payloadBytes));
      offset += 1;
    }
  }

  async #makeWritable(): Promise<void> {
    const segment = this.#last();
    if (this.#damage !== 'none') {
      invariant(this.#file !== null, 'a damaged partition keeps its file until it is replaced');
      await this.#file.truncate(segment.size);
      if (this.#damage === 'torn') {
        this.#damage = 'unsynced';
        await this.#file.datasync();
        this.#damage = 'none';
      }
    }
    // After a failed sync the kernel may call lost pages clean: no later sync of that file proves anything, so a new file is started.
    if (this.#damage === 'unsynced' || (segment.size >= this.#environment.segmentBytes && segment.size > 0)) {
      await this.#createSegment(this.#next);
      this.#damage = 'none';
    }
  }

  /** Starts the file for `base`. A file of that name can only be the rest of an attempt that failed: nothing in it was acknowledged. */
  async #createSegment(base: number): Promise<void> {
    const { fs } = this.#environment;
    const path = `${this.#directory}/${segmentName(base)}`;
    await fs.remove(path);
    const file = await fs.open(path, 'wx+');
    try {
      await fs.syncDirectory(this.#directory);
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    await this.#file?.close().catch(() => undefined);
    this.#file = file;
    if (this.#segments.at(-1)?.base === base) this.#segments.pop();
    const before = this.#segments.at(-1);
    if (before !== undefined) before.end = base;
    this.#segments.push({ base, path, index: new SparseIndex(base), size: 0, end: null });
  }

  #last(): Segment {
    const last = this.#segments.at(-1);
    invariant(last !== undefined, 'a partition has a segment');
    return last;
  }

  /** Resolves when a record at `offset` is on disk, or when the signal aborts. */
  async waitFor(offset: number, signal: AbortSignal): Promise<void> {
    while (this.#next <= offset && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#wakers.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#wakers.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }

  /**
   * Reads `[from, to)` in order, as far as it is on disk.
   *
   * *Errors* `log.offset_gone` when retention has dropped `from`; `log.corrupt` with file and byte position.
   */
  async *read(from: number, to: number): AsyncGenerator<LogRecord> {
    let offset = from;
    while (offset < Math.min(to, this.#next)) {
      const at = this.#segments.findLastIndex((segment) => segment.base <= offset);
      const segment = this.#segments[at];
      if (segment === undefined) throw this.#gone(offset);
      const recent = this.#recent.at(offset);
      if (recent !== undefined) {
        yield recent;
        offset += 1;
        continue;
      }
      for await (const frame of this.#framesOf(segment, offset, to)) {
        yield this.#toRecord(frame, segment);
        offset += 1;
        // What followed may have been appended meanwhile and be in memory.
        if (this.#recent.at(offset) !== undefined) break;
      }
    }
  }

  async *#framesOf(segment: Segment, from: number, to: number): AsyncGenerator<Frame> {
    const file = await this.#environment.fs.open(segment.path, 'r').catch((error: unknown) => {
      if (from < this.first) throw this.#gone(from);
      throw corrupt(segment.path, 0, `the segment cannot be opened (${String((error as NodeJS.ErrnoException).code)})`);
    });
    try {
      let { offset: expected, position } = segment.index.floor(from);
      while (expected < Math.min(to, segment.end ?? this.#next)) {
        const frames = await readFrames(file, position, segment.size, this.#seed);
        if (frames.length === 0) throw corrupt(segment.path, position, `record ${expected} does not verify`);
        // A file that was given up after a failed sync can still hold unacknowledged frames: the next file's base ends it.
        const end = Math.min(to, segment.end ?? this.#next);
        for (const frame of frames) {
          if (expected >= end) return;
          if (frame.offset !== expected)
            throw corrupt(segment.path, frame.position, `offset ${frame.offset} where ${expected} belongs`);
          segment.index.note(frame.offset, frame.position);
          position = frame.end;
          expected += 1;
          if (frame.offset >= from) yield frame;
        }
      }
    } finally {
      await file.close();
    }
  }

  #toRecord(frame: Frame, segment: Segment): LogRecord {
    let headers: Record<string, string>;
    try {
      headers = JSON.parse(frame.headersJson) as Record<string, string>;
    } catch {
      throw corrupt(segment.path, frame.position, 'the headers are not JSON');
    }
    const { offset, appendedAt, key, compressed } = frame;
    const packed = { bytes: frame.payload, compressed };
    let payloadBytes: number;
    try {
      payloadBytes = unpackedBytes(packed);
    } catch {
      throw corrupt(segment.path, frame.position, 'the payload cannot be decompressed');
    }
    return new StoredRecord(this.#place(offset, appendedAt), { key, headers }, packed, payloadBytes);
  }

  #place(offset: number, appendedAt: number) {
    return { topic: this.topic, partition: this.number, offset, appendedAt };
  }

  #gone(offset: number): AppError {
    return new AppError(
      'log.offset_gone',
      `offset ${offset} of ${this.topic}/${this.number} has been dropped by retention`,
      {
        status: 410,
        field: 'from',
        context: { topic: this.topic, partition: this.number, offset, first: this.first },
      },
    );
  }

  /** Drops whole segments that end at or before `before`, oldest first, never the one being written. Returns bytes freed. */
  async retain(before: number): Promise<number> {
    let freed = 0;
    for (;;) {
      const [oldest, following] = this.#segments;
      if (oldest === undefined || following === undefined || following.base > before) break;
      await this.#environment.fs.remove(oldest.path);
      // Somebody else may have dropped it meanwhile, and the next one is not theirs to drop.
      if (this.#segments[0] !== oldest) continue;
      this.#segments.shift();
      freed += oldest.size;
    }
    this.#recent.dropBefore(this.first);
    if (freed > 0) await this.#environment.fs.syncDirectory(this.#directory);
    return freed;
  }
}

function place(group: readonly Waiting[], start: number, first: number, seed: number) {
  const buffers: Uint8Array[] = [];
  const positions: (readonly [number, number])[] = [];
  let end = start;
  let next = first;
  for (const message of group.flatMap((waiting) => waiting.messages)) {
    buffers.push(...encodeFrame(message, next, start, seed));
    positions.push([next, end]);
    end += frameBytes(message);
    next += 1;
  }
  return { buffers, positions, end, next };
}
