import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EmbeddedLog } from './embedded-log.ts';
import type { LogFileSystem } from './file-system.ts';
import { type DiskOperation, faultyDisk, startedLog, temporaryDirectory, texts } from './test-disk.ts';

describe('disk faults', () => {
  let root: { readonly dir: string; remove(): Promise<void> };
  beforeEach(async () => {
    root = await temporaryDirectory();
  });
  afterEach(() => root.remove());

  const put = (log: EmbeddedLog, text: string) =>
    log.append('decisions', [{ key: 'k', headers: {}, payload: Buffer.from(text) }]);
  const isSegment = (path: string) => path.endsWith('.segment');

  /**
   * Keeps beside the log what a power cut would leave: each file as of its last successful sync.
   * A file whose sync has failed once keeps nothing new, as the kernel may have dropped its pages and called them clean.
   */
  function powerCutShadow(fs: LogFileSystem, from: string, to: string): LogFileSystem {
    const lost = new Set<string>();
    const shadow = (path: string) => path.replace(from, to);
    return {
      ...fs,
      open: async (path, flags) => {
        const file = await fs.open(path, flags);
        if (flags === 'wx+') {
          lost.delete(path);
          await mkdir(dirname(shadow(path)), { recursive: true });
          await rm(shadow(path), { force: true });
        }
        return {
          ...file,
          datasync: async () => {
            try {
              await file.datasync();
            } catch (error) {
              lost.add(path);
              throw error;
            }
            if (!lost.has(path)) await copyFile(path, shadow(path));
          },
        };
      },
      rename: async (a, b) => {
        await fs.rename(a, b);
        await rename(shadow(a), shadow(b));
      },
      remove: async (path) => {
        await fs.remove(path);
        await rm(shadow(path), { force: true });
      },
    };
  }

  it('appends made together share syncs, and none is acknowledged without one', async () => {
    const disk = faultyDisk();
    let held: Promise<void> | null = null;
    const gated: LogFileSystem = {
      ...disk.fs,
      open: async (path, flags) => {
        const file = await disk.fs.open(path, flags);
        return {
          ...file,
          datasync: async () => {
            await held;
            await file.datasync();
          },
        };
      },
    };
    const log = await startedLog(root.dir, { fs: gated });
    let release = () => {};
    held = new Promise((resolve) => {
      release = resolve;
    });
    const before = disk.counts.sync;
    let acknowledged = 0;
    const appends = Array.from({ length: 500 }, (_, index) => put(log, `${index}`).then(() => acknowledged++));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(disk.counts.sync).toBe(before);
    expect(acknowledged).toBe(0);
    expect(await texts(log)).toEqual([]);
    release();
    await Promise.all(appends);
    const syncs = disk.counts.sync - before;
    expect(syncs).toBeGreaterThanOrEqual(1);
    expect(syncs).toBeLessThanOrEqual(2);
    // One after the other there is nobody to share with: a sync each.
    const start = disk.counts.sync;
    for (let index = 0; index < 5; index++) await put(log, 'alone');
    expect(disk.counts.sync - start).toBe(5);
    await log.stop();
  });

  it('refuses appends beyond the queue with 503, takes them again when it has drained', async () => {
    const log = await startedLog(root.dir, { queueBytes: 10_000 });
    // Random, so that compression cannot make it small.
    const large = randomBytes(3900).toString('base64');
    const outcomes = await Promise.allSettled([put(log, large), put(log, large), put(log, large)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect(outcomes[2]).toMatchObject({
      reason: { code: 'log.unavailable', status: 503, retryable: true, retryAfterSeconds: 1 },
    });
    expect(log.status().queueBytes).toBe(0);
    await put(log, large);
    await expect(put(log, randomBytes(10_000).toString('base64'))).rejects.toMatchObject({
      code: 'log.message_too_large',
      retryable: false,
    });
    expect(await texts(log)).toHaveLength(3);
    await log.stop();
  });

  const operations: readonly DiskOperation[] = ['write', 'sync', 'create', 'syncDirectory', 'truncate'];
  it.each(operations)(
    'EIO at the Nth %s, N ≤ 20: nothing acknowledged is lost in a power cut, nothing refused comes back',
    async (operation) => {
      let failures = 0;
      for (let nth = 1; nth <= 20; nth++) {
        const dir = join(root.dir, `log-${nth}`);
        const shadow = join(root.dir, `shadow-${nth}`);
        const disk = faultyDisk();
        const log = await startedLog(dir, { fs: powerCutShadow(disk.fs, dir, shadow), segmentBytes: 60 });
        const start = { ...disk.counts };
        disk.fail = (current, _path, count) => {
          // A truncation happens only after a failed write: make every third write fail, so that there are some.
          if (operation === 'truncate' && current === 'write' && count % 3 === 0) return 'EIO';
          if (current !== operation || count !== start[operation] + nth) return null;
          failures += 1;
          return 'EIO';
        };
        const acknowledged: string[] = [];
        for (let call = 0; call < 24; call++) {
          const outcomes = await Promise.allSettled([put(log, `${call}a`), put(log, `${call}b`)]);
          for (const [index, outcome] of outcomes.entries()) {
            if (outcome.status === 'fulfilled') acknowledged.push(`${call}${'ab'[index]}`);
            else expect(outcome.reason).toMatchObject({ code: 'log.unavailable', status: 503, retryable: true });
          }
        }
        disk.fail = () => null;
        await put(log, 'end');
        acknowledged.push('end');
        expect(acknowledged.length).toBeGreaterThan(20);
        expect(await texts(log)).toEqual(acknowledged);
        await log.stop();
        for (const image of [dir, shadow]) {
          const again = await startedLog(image, { segmentBytes: 60 });
          expect(await texts(again)).toEqual(acknowledged);
          await again.stop();
        }
      }
      expect(failures).toBeGreaterThan(operation === 'truncate' ? 5 : 15);
    },
  );

  it('a sync that failed is never repeated on the same file: a fresh segment is started', async () => {
    const disk = faultyDisk();
    const log = await startedLog(root.dir, { fs: disk.fs });
    await put(log, 'one');
    const synced: string[] = [];
    disk.fail = (operation, path) => {
      if (operation !== 'sync' || !isSegment(path)) return null;
      synced.push(path.slice(-24));
      return synced.length === 1 ? 'EIO' : null;
    };
    await expect(put(log, 'lost')).rejects.toMatchObject({ code: 'log.unavailable', context: { systemCode: 'EIO' } });
    await put(log, 'two');
    expect(synced).toEqual(['0000000000000000.segment', '0000000000000001.segment']);
    expect(await texts(log)).toEqual(['one', 'two']);
    await log.stop();
  });

  it('a full disk refuses with 503 and recovers by itself, with and without traffic', async () => {
    const disk = faultyDisk();
    const log = await startedLog(root.dir, { fs: disk.fs });
    await put(log, 'before');
    disk.fail = (operation) => (operation === 'write' || operation === 'create' ? 'ENOSPC' : null);
    for (let index = 0; index < 3; index++)
      await expect(put(log, 'lost')).rejects.toMatchObject({
        code: 'log.unavailable',
        status: 503,
        retryable: true,
        retryAfterSeconds: 1,
        context: { systemCode: 'ENOSPC' },
      });
    expect(log.status().damaged).toEqual(['decisions/0']);
    disk.fail = () => null;
    await put(log, 'after');
    expect(log.status().damaged).toEqual([]);
    disk.fail = (operation) => (operation === 'write' ? 'ENOSPC' : null);
    await expect(put(log, 'lost')).rejects.toMatchObject({ code: 'log.unavailable' });
    disk.fail = () => null;
    while (log.status().damaged.length > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await texts(log)).toEqual(['before', 'after']);
    await log.stop();
    const again = await startedLog(root.dir);
    expect(await texts(again)).toEqual(['before', 'after']);
    await again.stop();
  });

  it('a write in hand is no damage: whoever asks meanwhile is told that the disk is well', async () => {
    const disk = faultyDisk();
    const log = await startedLog(root.dir, { fs: disk.fs });
    const told: string[][] = [];
    disk.fail = () => {
      told.push([...log.status().damaged]);
      return null;
    };
    for (let index = 0; index < 3; index++) await put(log, `${index}`);
    expect(told.length).toBeGreaterThanOrEqual(6);
    expect(told.flat()).toEqual([]);
    await log.stop();
  });

  it('a consumer whose plans and commits fail at times handles every record in order and commits all', async () => {
    const disk = faultyDisk();
    const log = await startedLog(root.dir, { fs: disk.fs });
    for (let index = 0; index < 10; index++) await put(log, `${index}`);
    disk.fail = (operation, path, count) =>
      path.includes('/positions/g/decisions-0') && !path.endsWith('.new') && operation !== 'create' && count % 3 === 0
        ? 'EIO'
        : null;
    const handled: number[] = [];
    const errors: unknown[] = [];
    const consumer = log.consumer({
      topic: 'decisions',
      group: 'g',
      maxRecords: 1,
      maxBytes: 1000,
      lingerMs: 0,
      handle: async (batch) => {
        if (!batch.redelivered) handled.push(batch.first);
      },
      onError: (error) => errors.push(error),
    });
    await consumer.start();
    while ((await consumer.lag()) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await consumer.stop();
    expect(handled).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(errors.length).toBeGreaterThan(2);
    await log.stop();
  });

  it('retention drops whole old segments and says so when a dropped offset is read', async () => {
    const log = await startedLog(root.dir, { segmentBytes: 500 });
    for (let index = 0; index < 40; index++) await put(log, `record ${index}`);
    const files = () => readdir(join(root.dir, 'decisions/0')).then((names) => names.filter(isSegment).length);
    const before = await files();
    const freed = await log.retain('decisions', 0, 20);
    const [range] = await log.offsets('decisions');
    expect(freed).toBeGreaterThan(500);
    expect(await files()).toBeLessThan(before);
    expect(range?.first).toBeGreaterThan(0);
    expect(range?.first).toBeLessThanOrEqual(20);
    expect((await texts(log))[0]).toBe(`record ${range?.first}`);
    await expect(log.read('decisions', 0, 0, 5)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'log.offset_gone',
    });
    await log.stop();
    const again = await startedLog(root.dir);
    expect((await texts(again)).length).toBe(40 - (range?.first ?? 0));
    await again.stop();
  });

  it('refuses a second consumer of a group, a bad group and bad limits, and everything before start and after stop', async () => {
    const log = await startedLog(root.dir);
    const options = {
      topic: 'decisions',
      group: 'g',
      maxRecords: 1,
      maxBytes: 1,
      lingerMs: 0,
      handle: async () => undefined,
      onError: () => undefined,
    } as const;
    const first = log.consumer(options);
    await first.start();
    await expect(log.consumer(options).start()).rejects.toMatchObject({ code: 'log.consumer_exists' });
    await first.stop();
    const second = log.consumer(options);
    await second.start();
    expect(() => log.consumer({ ...options, group: '../x' })).toThrow(
      expect.objectContaining({ code: 'log.group_invalid' }),
    );
    expect(() => log.consumer({ ...options, maxRecords: 0 })).toThrow(
      expect.objectContaining({ code: 'log.consumer_invalid', field: 'maxRecords' }),
    );
    await expect(log.read('decisions', 7, 0, 1)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'log.partition_unknown',
    });
    await log.stop();
    await log.stop();
    await expect(put(log, 'late')).rejects.toMatchObject({ code: 'log.unavailable' });
  });
});
