import { cp, mkdir, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EmbeddedLog } from './embedded-log.ts';
import { checksumSeed, encodeFrame } from './frame.ts';
import { startedLog, temporaryDirectory, texts } from './test-disk.ts';

interface Warning {
  readonly level: 'warn' | 'error';
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

describe('recovery of the tail', () => {
  let root: { readonly dir: string; remove(): Promise<void> };
  let copies = 0;
  const warnings: Warning[] = [];
  const logger = {
    warn: (fields: Record<string, unknown>, message: string) => warnings.push({ level: 'warn', fields, message }),
    error: (fields: Record<string, unknown>, message: string) => warnings.push({ level: 'error', fields, message }),
  };
  beforeEach(async () => {
    root = await temporaryDirectory();
    warnings.length = 0;
  });
  afterEach(() => root.remove());

  const segmentOf = (dir: string, base = 0) => join(dir, 'decisions/0', `${String(base).padStart(16, '0')}.segment`);
  const put = (log: EmbeddedLog, text: string) =>
    log.append('decisions', [{ key: 'k', headers: {}, payload: Buffer.from(text) }]);

  /** A stopped log with the given records in its first segment, and the positions of their frames. */
  async function written(records: readonly string[]): Promise<{ dir: string; ends: number[]; epoch: string }> {
    const dir = join(root.dir, 'original');
    const log = await startedLog(dir);
    const ends: number[] = [];
    for (const record of records) {
      await put(log, record);
      ends.push((await readFile(segmentOf(dir))).length);
    }
    await log.stop();
    return { dir, ends, epoch: log.epoch() };
  }
  async function copyOf(dir: string): Promise<string> {
    const copy = join(root.dir, `copy-${copies++}`);
    await cp(dir, copy, { recursive: true });
    return copy;
  }

  it('cut at every byte of the last three records: the whole ones stay, the rest is trimmed and reported, appends go on', async () => {
    const records = ['one', 'two', 'three', 'four'];
    const { dir, ends } = await written(records);
    const last = ends.at(-1) ?? 0;
    for (let size = ends[0] ?? 0; size < last; size++) {
      warnings.length = 0;
      const copy = await copyOf(dir);
      await truncate(segmentOf(copy), size);
      const log = await startedLog(copy, { logger });
      const whole = ends.filter((end) => end <= size).length;
      expect(await texts(log)).toEqual(records.slice(0, whole));
      const torn = size - (ends[whole - 1] ?? 0);
      const position = ends[whole - 1];
      const trimmed = { file: segmentOf(copy), position, bytes: torn };
      expect(warnings.filter(({ level }) => level === 'warn')).toEqual(
        torn === 0 ? [] : [{ level: 'warn', fields: trimmed, message: 'log: torn tail trimmed' }],
      );
      // These bytes had been acknowledged, which is worse than a torn write, and is said.
      expect(warnings.filter(({ level }) => level === 'error')).toMatchObject([
        { fields: { bytes: last - (position ?? 0) } },
      ]);
      expect(await put(log, 'new')).toEqual([{ partition: 0, offset: whole }]);
      await log.stop();
      const again = await startedLog(copy, { logger });
      expect(await texts(again)).toEqual([...records.slice(0, whole), 'new']);
      await again.stop();
    }
  });

  it('trims bytes behind the last acknowledged record', async () => {
    const { dir, ends } = await written(['one', 'two']);
    const file = segmentOf(dir);
    await writeFile(file, Buffer.concat([await readFile(file), Buffer.alloc(5000, 3)]));
    const log = await startedLog(dir, { logger });
    expect(await texts(log)).toEqual(['one', 'two']);
    expect(warnings).toEqual([
      { level: 'warn', fields: { file, position: ends[1], bytes: 5000 }, message: 'log: torn tail trimmed' },
    ]);
    await log.stop();
  });

  it('a flipped bit in any byte of the last segment refuses to start, naming file and byte', async () => {
    const { dir, ends } = await written(['one', 'two', 'three']);
    const copy = await copyOf(dir);
    const bytes = await readFile(segmentOf(copy));
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      await writeFile(segmentOf(copy), flipped);
      const position = at < (ends[0] ?? 0) ? 0 : (ends.findLast((end) => end <= at) ?? 0);
      await expect(startedLog(copy)).rejects.toMatchObject({
        code: 'log.corrupt',
        retryable: false,
        context: { file: segmentOf(copy), position },
      });
      expect((await readFile(segmentOf(copy))).equals(flipped)).toBe(true);
    }
  });

  it('a flipped bit in an older segment stops its reader and its consumer there, and skips nothing', async () => {
    const dir = join(root.dir, 'log');
    const log = await startedLog(dir, { segmentBytes: 60 });
    for (const text of ['one', 'two', 'three', 'four', 'five', 'six']) await put(log, text);
    await log.stop();
    const names = (await readdir(join(dir, 'decisions/0'))).filter((name) => name.endsWith('.segment')).sort();
    expect(names.length).toBeGreaterThan(2);
    const file = join(dir, 'decisions/0', names[1] ?? '');
    const bytes = await readFile(file);
    bytes[40] = (bytes[40] ?? 0) ^ 4;
    await writeFile(file, bytes);
    const damaged = await startedLog(dir, { segmentBytes: 60 });
    const corrupt = { code: 'log.corrupt', context: { file, position: 0 } };
    await expect(texts(damaged)).rejects.toMatchObject(corrupt);
    const handled: number[] = [];
    const failed = await new Promise((resolve) => {
      const consumer = damaged.consumer({
        topic: 'decisions',
        group: 'g',
        maxRecords: 1,
        maxBytes: 1000,
        lingerMs: 0,
        handle: async (batch) => void handled.push(batch.first),
        onError: (error) => consumer.stop().then(() => resolve(error)),
      });
      void consumer.start();
    });
    expect(failed).toMatchObject(corrupt);
    expect(handled).toEqual(Array.from({ length: Number(names[1]?.slice(0, 16)) }, (_, index) => index));
    await damaged.stop();
  });

  it('a power cut that kept later pages of an unsynced group and lost earlier ones is a torn write', async () => {
    const { dir, ends, epoch } = await written(['one', 'two']);
    const file = segmentOf(dir);
    const synced = ends[1] ?? 0;
    const seed = checksumSeed(epoch, 'decisions', 0);
    const frame = (offset: number) =>
      encodeFrame(
        {
          key: Buffer.from('k'),
          headers: Buffer.from('{}'),
          payload: Buffer.from('lost'),
          compressed: false,
          appendedAt: 1,
        },
        offset,
        synced,
        seed,
      );
    const hole = Buffer.alloc(Buffer.concat(frame(2)).length);
    await writeFile(file, Buffer.concat([await readFile(file), hole, ...frame(3)]));
    const log = await startedLog(dir, { logger });
    expect(await texts(log)).toEqual(['one', 'two']);
    expect(warnings.map(({ fields }) => fields['position'])).toEqual([synced]);
    await log.stop();
  });

  it('a bad record is damage, not a torn write, when a record behind it was written after its sync – even with the mark lost', async () => {
    const { dir } = await written(['one', 'two', 'three']);
    const bytes = await readFile(segmentOf(dir));
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    await writeFile(segmentOf(dir), bytes);
    for (const mark of [Buffer.alloc(20), Buffer.alloc(0)]) {
      await writeFile(join(dir, 'decisions/0/durable.mark'), mark);
      await expect(startedLog(dir)).rejects.toMatchObject({ code: 'log.corrupt', context: { position: 0 } });
    }
  });

  it('refuses data without its epoch, of a newer format, without its segment, or with more partitions', async () => {
    const { dir } = await written(['one']);
    const changed = async (change: (copy: string) => Promise<unknown>) => {
      const copy = await copyOf(dir);
      await change(copy);
      return startedLog(copy).then(
        async (log) => {
          await log.stop();
          return 'started';
        },
        (error: { code: string }) => error.code,
      );
    };
    expect(await changed((copy) => rm(join(copy, 'epoch.json')))).toBe('log.corrupt');
    expect(await changed((copy) => writeFile(join(copy, 'epoch.json'), '{}'))).toBe('log.corrupt');
    expect(await changed((copy) => writeFile(join(copy, 'epoch.json'), '{"format":2}'))).toBe('log.newer_format');
    expect(await changed((copy) => mkdir(join(copy, 'decisions/1')))).toBe('log.partitions_changed');
    expect(await changed((copy) => rm(segmentOf(copy)))).toBe('log.corrupt');
    expect(await changed(() => Promise.resolve())).toBe('started');
  });

  it('refuses to start a consumer whose group has been further than the log now reaches', async () => {
    const { dir, ends } = await written(['one', 'two']);
    const options = { topic: 'decisions', group: 'g', maxRecords: 10, maxBytes: 1000, lingerMs: 0 } as const;
    const log = await startedLog(dir);
    await new Promise<void>((resolve) => {
      const consumer = log.consumer({
        ...options,
        handle: async () => void setImmediate(() => consumer.stop().then(resolve)),
        onError: () => undefined,
      });
      void consumer.start();
    });
    expect(await log.committed('decisions', 'g')).toEqual([{ partition: 0, next: 2 }]);
    await log.stop();
    await truncate(segmentOf(dir), ends[0]);
    const shorter = await startedLog(dir);
    const consumer = shorter.consumer({ ...options, handle: async () => undefined, onError: () => undefined });
    await expect(consumer.start()).rejects.toMatchObject({ code: 'log.corrupt' });
    await shorter.stop();
  });

  it('a torn page of a position file leaves the state before it; two bad pages are loud', async () => {
    const { dir } = await written(['one', 'two']);
    const options = { topic: 'decisions', group: 'g', maxRecords: 1, maxBytes: 1000, lingerMs: 0 } as const;
    const log = await startedLog(dir);
    const seen: number[] = [];
    await new Promise<void>((resolve) => {
      const consumer = log.consumer({
        ...options,
        handle: async (batch) => {
          seen.push(batch.first);
          if (batch.first === 1) setImmediate(() => consumer.stop().then(resolve));
        },
        onError: () => undefined,
      });
      void consumer.start();
    });
    await log.stop();
    // Five states were written (start, then plan and commit of each record): the last is on page 0, the one before, the plan of record 1, on page 1.
    const path = join(dir, 'positions/g/decisions-0');
    const spoil = async (at: number) => {
      const file = await open(path, 'r+');
      await file.write(Buffer.from([0xff]), 0, 1, at);
      await file.close();
    };
    await spoil(8);
    const again = await startedLog(dir, { logger });
    expect(warnings.map(({ message }) => message)).toEqual([
      'log: one page of a position file was torn, the other stands',
    ]);
    const batch = await new Promise((resolve) => {
      void again
        .consumer({ ...options, handle: async (delivered) => resolve(delivered), onError: () => undefined })
        .start();
    });
    expect(batch).toMatchObject({ first: 1, last: 1, redelivered: true });
    await again.stop();
    await spoil(8);
    await spoil(4096 + 8);
    await expect(startedLog(dir)).rejects.toMatchObject({ code: 'log.corrupt' });
  });
});
