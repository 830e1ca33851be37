import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Consumer, ConsumerOptions, Log, LogBatch, LogMessage, LogRecord, TopicName } from './port.ts';
import { topics } from './port.ts';

/** A log under test. `reopen` opens the same data again as after a crash: the log before it is abandoned, not stopped. */
export interface LogUnderTest {
  readonly log: Log;
  /** True when others see a message before its own append has resolved: durable it is all the same. */
  readonly isShared?: boolean;
  reopen(): Promise<Log>;
  dispose(): Promise<void>;
}

const topic: TopicName = 'telemetry';
const message = (key: string, text: string): LogMessage => ({
  key,
  headers: { pulse: `{"text":"${text}"}`, extra: 'ä' },
  payload: Buffer.from(text),
});
const text = (record: LogRecord): string => Buffer.from(record.payload).toString();

async function all(records: AsyncIterable<LogRecord>): Promise<LogRecord[]> {
  const list: LogRecord[] = [];
  for await (const record of records) list.push(record);
  return list;
}

/** A handler that records its batches, with a promise for each condition a test waits for. */
function collector(handle: (batch: LogBatch, call: number) => Promise<void> | void = () => undefined) {
  const batches: LogBatch[] = [];
  const errors: unknown[] = [];
  let wake = () => {};
  const options = {
    handle: async (batch: LogBatch) => {
      batches.push(batch);
      wake();
      await handle(batch, batches.length);
    },
    onError: (error: unknown) => {
      errors.push(error);
      wake();
    },
  };
  const until = async (condition: () => boolean) => {
    while (!condition()) await new Promise<void>((resolve) => (wake = resolve));
  };
  return { batches, errors, options, until };
}

const limits = { topic, maxRecords: 100, maxBytes: 1_000_000, lingerMs: 0 } as const;

/** The guarantees of the `Log` port as a suite that every adapter joins. */
export function logConformance(name: string, makeLog: () => Promise<LogUnderTest>): void {
  describe(`${name}: log conformance`, () => {
    let subject: LogUnderTest;
    let log: Log;
    /** The first offset of every partition of a new log. */
    let base: number;
    let partitions: number;
    const running: Consumer[] = [];
    beforeEach(async () => {
      subject = await makeLog();
      log = subject.log;
      const ranges = await log.offsets(topic);
      partitions = ranges.length;
      base = ranges[0]?.first ?? -1;
      expect(ranges.every(({ first, next }) => first === base && next === base)).toBe(true);
    });
    afterEach(async () => {
      await Promise.all(running.splice(0).map((consumer) => consumer.stop()));
      await subject.dispose();
    });
    const consume = async (options: ConsumerOptions): Promise<Consumer> => {
      const consumer = log.consumer(options);
      running.push(consumer);
      await consumer.start();
      return consumer;
    };
    const stopAll = () => Promise.all(running.splice(0).map((consumer) => consumer.stop()));
    const committed = async (group: string) =>
      (await log.committed(topic, group)).reduce((sum, { next }) => sum + next - base, 0);
    const settle = async (condition: () => Promise<boolean>) => {
      while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
    };

    appendAndRead();
    delivery();
    crashPoints();

    function appendAndRead(): void {
      it('reads back key, headers, payload, offset and time of every message, also after a restart', async () => {
        const before = Date.now() - 1000 * 60 * 60 * 24 * 365 * 50;
        const positions = await log.append(topic, [message('isp-alpha', 'one'), message('isp-alpha', 'two')]);
        const partition = positions[0]?.partition ?? -1;
        expect(positions).toEqual([
          { partition, offset: base },
          { partition, offset: base + 1 },
        ]);
        for (const restarts of [0, 1]) {
          if (restarts > 0) log = await subject.reopen();
          const records = await all(log.read(topic, partition, base, base + 10));
          expect(
            records.map((record) => [record.topic, record.partition, record.offset, record.key, text(record)]),
          ).toEqual([
            [topic, partition, base, 'isp-alpha', 'one'],
            [topic, partition, base + 1, 'isp-alpha', 'two'],
          ]);
          expect(records[0]?.headers).toEqual({ pulse: '{"text":"one"}', extra: 'ä' });
          expect(records[0]?.appendedAt).toBeGreaterThan(before);
        }
      });

      it('keeps the order of calls within a partition when many append at once', async () => {
        const calls = Array.from({ length: 200 }, (_, index) => log.append(topic, [message('isp-alpha', `${index}`)]));
        const positions = (await Promise.all(calls)).flat();
        expect(positions.map(({ offset }) => offset - base)).toEqual(Array.from({ length: 200 }, (_, index) => index));
        const records = await all(log.read(topic, positions[0]?.partition ?? -1, base, base + 1000));
        expect(records.map(text)).toEqual(Array.from({ length: 200 }, (_, index) => `${index}`));
      });

      it('sends the same key to the same partition, and uses every partition', async () => {
        const seen = new Map<string, Set<number>>();
        for (let round = 0; round < 3; round++) {
          const keys = Array.from({ length: 20 }, (_, index) => `isp-${index}`);
          const positions = await log.append(
            topic,
            keys.map((key) => message(key, 'x')),
          );
          for (const [index, key] of keys.entries())
            seen.set(key, (seen.get(key) ?? new Set()).add(positions[index]?.partition ?? -1));
        }
        expect([...seen.values()].every((partitions) => partitions.size === 1)).toBe(true);
        const used = new Set([...seen.values()].flatMap((partitions) => [...partitions]));
        expect(used.size).toBe(partitions);
        expect(partitions).toBeGreaterThanOrEqual(topics[topic].partitions);
      });

      it('shows nothing before it is durable, and all of it afterwards', async () => {
        const [{ partition } = { partition: -1 }] = await log.append(topic, [message('isp-alpha', 'first')]);
        const pending = log.append(topic, [message('isp-alpha', 'second')]);
        const next = async () =>
          ((await log.offsets(topic)).find((entry) => entry.partition === partition)?.next ?? 0) - base;
        const seen = await next();
        if (subject.isShared !== true) expect(seen).toBe(1);
        const records = await all(log.read(topic, partition, base, base + seen));
        expect(records.map(text)).toEqual(['first', 'second'].slice(0, seen));
        await pending;
        expect(await next()).toBe(2);
        expect((await all(log.read(topic, partition, base + 1, base + 2))).map(text)).toEqual(['second']);
      });

      it('reads a half-open range and stops at the end of the log', async () => {
        const [first] = await log.append(
          topic,
          [0, 1, 2, 3].map((index) => message('isp-alpha', `${index}`)),
        );
        const partition = first?.partition ?? -1;
        const read = async (from: number, to: number) =>
          (await all(log.read(topic, partition, base + from, base + to))).map(text);
        expect(await read(1, 3)).toEqual(['1', '2']);
        expect(await read(3, 99)).toEqual(['3']);
        expect(await read(4, 99)).toEqual([]);
      });

      it('takes a message of a MiB and refuses one that is larger than 4 MiB, naming it, storing nothing', async () => {
        const large = { ...message('isp-alpha', ''), payload: Buffer.alloc(1024 * 1024, 7) };
        const [position] = await log.append(topic, [large]);
        const [record] = await all(log.read(topic, position?.partition ?? -1, base, base + 1));
        expect(Buffer.compare(Buffer.from(record?.payload ?? []), large.payload)).toBe(0);
        const refused = { ...large, payload: Buffer.alloc(4 * 1024 * 1024 + 1) };
        await expect(log.append(topic, [message('isp-alpha', 'small'), refused])).rejects.toMatchObject({
          code: 'log.message_too_large',
          retryable: false,
          field: 'messages[1]',
        });
        expect((await log.offsets(topic)).reduce((sum, { next }) => sum + next - base, 0)).toBe(1);
      });

      it('keeps its epoch over a restart', async () => {
        const epoch = log.epoch();
        expect(epoch).toMatch(/^[0-9a-zA-Z]{8,}$/);
        log = await subject.reopen();
        expect(log.epoch()).toBe(epoch);
      });
    }

    function delivery(): void {
      it('delivers what was there before and wakes for what comes later, with tokens that name the range', async () => {
        const seen = collector();
        const [position] = await log.append(topic, [message('isp-alpha', 'a'), message('isp-alpha', 'b')]);
        const partition = position?.partition ?? -1;
        await consume({ ...limits, ...seen.options, group: 'store' });
        await seen.until(() => seen.batches.length === 1);
        await log.append(topic, [message('isp-alpha', 'c')]);
        await seen.until(() => seen.batches.length === 2);
        expect(
          seen.batches.map(({ first, last, token, redelivered, epoch }) => ({
            first,
            last,
            token,
            redelivered,
            epoch,
          })),
        ).toEqual([
          {
            first: base,
            last: base + 1,
            token: `${log.epoch()}-telemetry-${partition}-${base}-${base + 1}`,
            redelivered: false,
            epoch: log.epoch(),
          },
          {
            first: base + 2,
            last: base + 2,
            token: `${log.epoch()}-telemetry-${partition}-${base + 2}-${base + 2}`,
            redelivered: false,
            epoch: log.epoch(),
          },
        ]);
        expect(seen.batches.flatMap(({ records }) => records.map(text))).toEqual(['a', 'b', 'c']);
      });

      it('keeps a batch within its limits, but always delivers one record', async () => {
        const payload = Buffer.alloc(600);
        await log.append(
          topic,
          Array.from({ length: 7 }, () => ({ key: 'isp-alpha', headers: {}, payload })),
        );
        const byCount = collector();
        await consume({ ...limits, ...byCount.options, group: 'count', maxRecords: 3 });
        await byCount.until(() => byCount.batches.length === 3);
        expect(byCount.batches.map(({ records }) => records.length)).toEqual([3, 3, 1]);
        const byBytes = collector();
        await consume({ ...limits, ...byBytes.options, group: 'bytes', maxBytes: 1300 });
        await byBytes.until(() => byBytes.batches.length === 4);
        expect(byBytes.batches.map(({ records }) => records.length)).toEqual([2, 2, 2, 1]);
        const tiny = collector();
        await consume({ ...limits, ...tiny.options, group: 'tiny', maxBytes: 10 });
        await tiny.until(() => tiny.batches.length === 7);
        expect(tiny.batches.every(({ records }) => records.length === 1)).toBe(true);
        const weighed = collector();
        await consume({ ...limits, ...weighed.options, group: 'weighed', maxBytes: 10, weigh: () => 5 });
        await weighed.until(() => weighed.batches.length === 4);
        expect(weighed.batches.map(({ records }) => records.length)).toEqual([2, 2, 2, 1]);
      });

      it('gathers a fuller batch while it lingers, and stops lingering when the batch is full', async () => {
        const seen = collector();
        await consume({ ...limits, ...seen.options, group: 'store', maxRecords: 4, lingerMs: 10_000 });
        for (let index = 0; index < 4; index++) await log.append(topic, [message('isp-alpha', `${index}`)]);
        await seen.until(() => seen.batches.length === 1);
        expect(seen.batches[0]?.records.map(text)).toEqual(['0', '1', '2', '3']);
      });

      it('delivers a batch that stays small when the linger time is over', async () => {
        const seen = collector();
        await consume({ ...limits, ...seen.options, group: 'store', lingerMs: 20 });
        await log.append(topic, [message('isp-alpha', 'only')]);
        await seen.until(() => seen.batches.length === 1);
        expect(seen.batches[0]?.records.map(text)).toEqual(['only']);
      });

      it('lets two groups read on their own', async () => {
        const fast = collector();
        const slow = collector(() => Promise.reject(new Error('the store is down')));
        await log.append(topic, [message('isp-alpha', 'a')]);
        await consume({ ...limits, ...slow.options, group: 'slow' });
        const consumer = await consume({ ...limits, ...fast.options, group: 'fast' });
        await fast.until(() => fast.batches.length === 1);
        await settle(async () => (await committed('fast')) === 1);
        await slow.until(() => slow.errors.length >= 1);
        expect(await committed('slow')).toBe(0);
        expect(await consumer.lag()).toBe(0);
      });

      it('lets one group read two topics, each on its own', async () => {
        const [telemetry, decisions] = [collector(), collector()];
        await consume({ ...limits, ...telemetry.options, group: 'store' });
        await consume({ ...limits, ...decisions.options, topic: 'decisions', group: 'store' });
        await log.append('decisions', [message('isp-alpha', 'decided')]);
        await log.append(topic, [message('isp-alpha', 'measured')]);
        await telemetry.until(() => telemetry.batches.length === 1);
        await decisions.until(() => decisions.batches.length === 1);
        expect(telemetry.batches[0]?.records.map(text)).toEqual(['measured']);
        expect(decisions.batches[0]?.records.map(text)).toEqual(['decided']);
      });

      it('counts as lag what is appended and not committed, over all partitions', async () => {
        let release = () => {};
        const held = new Promise<void>((resolve) => (release = resolve));
        const seen = collector(() => held);
        await log.append(
          topic,
          ['isp-0', 'isp-1', 'isp-2', 'isp-3', 'isp-4', 'isp-5'].map((key) => message(key, 'x')),
        );
        const consumer = await consume({ ...limits, ...seen.options, group: 'store' });
        await seen.until(() => seen.batches.length >= 1);
        expect(await consumer.lag()).toBe(6);
        release();
        await settle(async () => (await consumer.lag()) === 0);
        expect(await committed('store')).toBe(6);
      });

      it('redelivers the same range with the same token until the handler succeeds, and skips nothing', async () => {
        const seen = collector((_, call) => (call <= 2 ? Promise.reject(new Error(`attempt ${call}`)) : undefined));
        await log.append(topic, [message('isp-alpha', 'a')]);
        await consume({ ...limits, ...seen.options, group: 'store' });
        await seen.until(() => seen.batches.length === 1);
        // Appended between the attempts: it must not slip into the range that is being repeated.
        await log.append(topic, [message('isp-alpha', 'b')]);
        await seen.until(() => seen.batches.length === 4);
        expect(seen.batches.map(({ redelivered, records }) => [redelivered, records.map(text)])).toEqual([
          [false, ['a']],
          [true, ['a']],
          [true, ['a']],
          [false, ['b']],
        ]);
        expect(new Set(seen.batches.slice(0, 3).map(({ token }) => token)).size).toBe(1);
        expect(seen.errors.map((error) => (error as Error).message)).toEqual(['attempt 1', 'attempt 2']);
      });

      it('finishes and commits the batch in hand when it is stopped', async () => {
        let release = () => {};
        const held = new Promise<void>((resolve) => (release = resolve));
        const seen = collector(() => held);
        await log.append(topic, [message('isp-alpha', 'a')]);
        const consumer = await consume({ ...limits, ...seen.options, group: 'store' });
        await seen.until(() => seen.batches.length === 1);
        const stopped = consumer.stop();
        release();
        await stopped;
        await consumer.stop();
        expect(await committed('store')).toBe(1);
      });
    }

    function crashPoints(): void {
      /** Runs a consumer up to `point`, restarts the log, and returns what the same group gets then. */
      const afterRestart = async (handle: (batch: LogBatch) => Promise<void>) => {
        const first = collector(handle);
        await log.append(topic, [message('isp-alpha', 'a'), message('isp-alpha', 'b')]);
        await consume({ ...limits, ...first.options, group: 'store' });
        await first.until(() => first.errors.length > 0 || first.batches.length > 0);
        if (first.errors.length === 0) await first.until(() => first.errors.length > 0);
        await stopAll();
        // More is appended while the consumer is down, and the limits change: the planned range must not.
        await log.append(topic, [message('isp-alpha', 'c')]);
        log = await subject.reopen();
        const second = collector();
        await consume({ ...limits, ...second.options, group: 'store', maxRecords: 1 });
        await second.until(() => second.batches.length === 2);
        return { before: first.batches, after: second.batches };
      };

      it.each([
        ['W1: planned, the handler did nothing', async () => Promise.reject(new Error('W1'))],
        [
          'W2: the handler failed half way',
          async (batch: LogBatch) => {
            for (const record of batch.records) if (text(record) === 'b') throw new Error('W2');
          },
        ],
      ])('%s: the same range comes first after a restart, byte for byte, with the same token', async (_, handle) => {
        const { before, after } = await afterRestart(handle);
        expect(after.map(({ redelivered, records }) => [redelivered, records.map(text)])).toEqual([
          [true, ['a', 'b']],
          [false, ['c']],
        ]);
        expect(after[0]?.token).toBe(before[0]?.token);
        expect(after[0]?.records).toEqual(before[0]?.records);
      });

      it('W3: handled but not committed: the same range comes again, marked as redelivered, with the same token', async () => {
        let release = () => {};
        const held = new Promise<void>((resolve) => {
          release = resolve;
        });
        const first = collector(() => held);
        await log.append(topic, [message('isp-alpha', 'a')]);
        await consume({ ...limits, ...first.options, group: 'store' });
        await first.until(() => first.batches.length === 1);
        log = await subject.reopen();
        const second = collector();
        await consume({ ...limits, ...second.options, group: 'store' });
        await second.until(() => second.batches.length === 1);
        release();
        const { confirm: _before, ...before } = first.batches[0] ?? {};
        const { confirm: _after, ...after } = second.batches[0] ?? {};
        expect(after).toEqual({ ...before, redelivered: true });
      });

      it('AFTER: a committed range does not come again after a restart', async () => {
        const first = collector();
        await log.append(topic, [message('isp-alpha', 'a')]);
        await consume({ ...limits, ...first.options, group: 'store' });
        await settle(async () => (await committed('store')) === 1);
        await stopAll();
        log = await subject.reopen();
        expect(await committed('store')).toBe(1);
        const second = collector();
        await consume({ ...limits, ...second.options, group: 'store' });
        await log.append(topic, [message('isp-alpha', 'b')]);
        await second.until(() => second.batches.length === 1);
        expect(second.batches.map(({ redelivered, records }) => [redelivered, records.map(text)])).toEqual([
          [false, ['b']],
        ]);
      });

      it('keeps reading from its first offset on after retention, and never drops the end of the log', async () => {
        const large = () => ({ key: 'isp-alpha', headers: {}, payload: Buffer.alloc(200_000) });
        for (let index = 0; index < 6; index++) await log.append(topic, [large()]);
        const partition = (await log.append(topic, [message('isp-alpha', 'last')]))[0]?.partition ?? -1;
        await log.retain(topic, partition, base + 7);
        const range = (await log.offsets(topic)).find((entry) => entry.partition === partition);
        expect(range?.next).toBe(base + 7);
        const records = await all(log.read(topic, partition, range?.first ?? 0, base + 7));
        expect(records.map(({ offset }) => offset)).toEqual(
          Array.from({ length: base + 7 - (range?.first ?? 0) }, (_, index) => index + (range?.first ?? 0)),
        );
        expect(records.at(-1) === undefined ? undefined : text(records.at(-1) as LogRecord)).toBe('last');
      });

      it('never drops what a group has not committed, whatever retention asks for', async () => {
        const seen = collector(() => Promise.reject(new Error('down')));
        const large = () => ({ key: 'isp-alpha', headers: {}, payload: Buffer.alloc(200_000) });
        const [position] = await log.append(topic, [large()]);
        const partition = position?.partition ?? -1;
        await consume({ ...limits, ...seen.options, group: 'store' });
        await seen.until(() => seen.errors.length > 0);
        for (let index = 0; index < 10; index++) await log.append(topic, [large()]);
        expect(await log.retain(topic, partition, base + 11)).toBe(0);
        expect(await all(log.read(topic, partition, base, base + 11))).toHaveLength(11);
      });
    }
  });
}
