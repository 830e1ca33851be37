import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { createEmbeddedLog, type EmbeddedLog } from './embedded-log.ts';
import type { LogLogger } from './environment.ts';
import type { KafkaLog } from './kafka-log.ts';
import { unavailable } from './log-errors.ts';
import { type Consumer, type Log, type LogMessage, type LogPosition, type TopicName, topics } from './port.ts';

export interface SpooledLogOptions {
  readonly remote: KafkaLog;
  /** Where the spool lies; made when it is first needed. */
  readonly dir: string;
  /** Bytes of the spool on disk; 0 is no spool. */
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly logger: LogLogger;
  /** How often brokers that are away are asked. Default 1 s. */
  readonly probeMs?: number;
}

/** What a log with a spool can tell about itself. */
export interface SpoolStatus {
  /** Records go to the spool: the brokers are away, or earlier records wait there. */
  readonly spooling: boolean;
  readonly bytes: number;
  readonly isFull: boolean;
}

/** A log on servers that goes on taking records while they are away. */
export interface SpooledLog extends Log {
  spool(): SpoolStatus;
}

const topicNames = Object.keys(topics) as TopicName[];
const segmentBytesMax = 16 * 1024 * 1024;
const drainGroup = 'drain';
const backoff = (attempt: number) => Math.min(1000, 50 * 2 ** Math.min(attempt, 10));

/**
 * Appends to the brokers, and while they are away to segments of this process, which are sent by themselves, in their order, when they are back.
 *
 * *Shape* as long as the spool holds a record, later ones queue behind it. *Bias* a record whose request failed half way, or that was sent when the process died, may stand on the log twice.
 * *Errors* `log.unavailable` (503, Retry-After) when the spool is full too.
 */
export function createSpooledLog(options: SpooledLogOptions): SpooledLog {
  return new BrokerLogWithSpool(options);
}

class BrokerLogWithSpool implements SpooledLog {
  readonly isShared = true;
  readonly #options: SpooledLogOptions;
  readonly #remote: KafkaLog;
  #spool: EmbeddedLog | null = null;
  #opening: Promise<EmbeddedLog> | null = null;
  #drains: Consumer[] = [];
  #spooling = false;
  /** Appends to the spool that are not on disk yet. */
  #pending = 0;
  /** Bytes on disk when last looked, and what has been appended since. */
  #scanned = 0;
  #since = 0;
  #scannedAt = Number.NEGATIVE_INFINITY;
  #probe: NodeJS.Timeout | undefined;
  #isFull = false;

  constructor(options: SpooledLogOptions) {
    this.#options = options;
    this.#remote = options.remote;
  }

  async start(): Promise<void> {
    await this.#remote.start();
    // What an earlier run of this process has left goes first.
    if (await stat(join(this.#options.dir, 'epoch.json')).catch(() => null)) await this.#open();
    const everyMs = this.#options.probeMs ?? 1000;
    const failed = (error: unknown) => {
      if (this.#spool !== null) this.#options.logger.warn({ err: error }, 'log: the spool could not be looked after');
    };
    let looking = false;
    this.#probe = setInterval(() => {
      if (looking) return;
      looking = true;
      void this.#tend()
        .catch(failed)
        .finally(() => {
          looking = false;
        });
    }, everyMs);
    this.#probe.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#probe);
    await this.#opening?.catch(() => undefined);
    await Promise.all(this.#drains.splice(0).map((drain) => drain.stop()));
    await this.#spool?.stop();
    this.#spool = null;
    await this.#remote.stop();
  }

  async append(topic: TopicName, messages: readonly LogMessage[]): Promise<LogPosition[]> {
    if (!this.#spooling && this.#remote.status().away === null) {
      try {
        return await this.#remote.append(topic, messages);
      } catch (error) {
        const isAway = error instanceof AppError && error.code === 'log.unavailable';
        if (!isAway || this.#remote.status().away === null || this.#options.bytesMax === 0) throw error;
      }
    }
    if (this.#options.bytesMax === 0) return this.#remote.append(topic, messages);
    await this.#keep(topic, messages);
    return [];
  }

  /** Appends to the spool. */
  async #keep(topic: TopicName, messages: readonly LogMessage[]): Promise<void> {
    this.#spooling = true;
    this.#pending += 1;
    try {
      const spool = this.#spool ?? (await this.#open());
      const bytes = messages.reduce((sum, message) => sum + (message.packed ?? message.payload).length + 512, 0);
      await this.#measure();
      this.#isFull = this.#scanned + this.#since + bytes > this.#options.bytesMax;
      if (this.#isFull) throw unavailable('the brokers are away and the spool is full');
      this.#since += bytes;
      await spool.append(topic, messages);
    } finally {
      this.#pending -= 1;
    }
  }

  #open(): Promise<EmbeddedLog> {
    this.#opening ??= this.#openSpool().catch((error: unknown) => {
      this.#opening = null;
      throw error;
    });
    return this.#opening;
  }

  async #openSpool(): Promise<EmbeddedLog> {
    const { dir, clock, logger } = this.#options;
    // The newest segment of each partition stays when it is drained: of the bound that may be a small part only.
    const segmentBytes = Math.min(segmentBytesMax, Math.ceil(this.#options.bytesMax / 32));
    const spool = createEmbeddedLog({ dir, clock, logger, segmentBytes, backoff });
    await spool.start();
    this.#drains = topicNames.map((topic) =>
      spool.consumer({
        topic,
        group: drainGroup,
        maxRecords: 2000,
        maxBytes: 8 * 1024 * 1024,
        lingerMs: 0,
        handle: async ({ records }) => {
          const away = this.#remote.status().away;
          if (away !== null) throw unavailable(away);
          await this.#remote.append(topic, records);
        },
        // While the brokers are away the probe says so; the batch comes again in any case.
        onError: (error) => {
          if (this.#remote.status().away === null) logger.warn({ err: error, topic }, 'log: the spool is not drained');
        },
      }),
    );
    for (const drain of this.#drains) await drain.start();
    this.#spool = spool;
    // It may have been opened for records that are still on their way into it.
    this.#spooling ||= this.#waiting() > 0;
    await this.#measure(true);
    if (this.#waiting() > 0)
      logger.warn({ records: this.#waiting(), dir }, 'log: records of an earlier run wait in the spool');
    return spool;
  }

  /** Asks brokers that are away, and goes back to them when the spool is empty. */
  async #tend(): Promise<void> {
    if (this.#remote.status().away !== null) await this.#remote.probe().catch(() => undefined);
    const spool = this.#spool;
    if (spool === null) return;
    for (const topic of topicNames)
      for (const { partition, next } of await spool.committed(topic, drainGroup))
        await spool.retain(topic, partition, next);
    await this.#measure(true);
    if (!this.#spooling || this.#pending > 0 || this.#waiting() > 0 || this.#remote.status().away !== null) return;
    this.#spooling = false;
    this.#isFull = false;
    this.#options.logger.warn({}, 'log: the spool is empty, records go to the brokers again');
  }

  /** Records that are not on the brokers yet. */
  #waiting(): number {
    return (this.#spool?.status().lag ?? []).reduce((sum, { records }) => sum + records, 0);
  }

  async #measure(anew = false): Promise<void> {
    const now = performance.now();
    if (!anew && now - this.#scannedAt < 200) return;
    this.#scannedAt = now;
    const since = this.#since;
    this.#scanned = await directoryBytes(this.#options.dir);
    this.#since -= since;
  }

  spool(): SpoolStatus {
    const bytes = this.#waiting() === 0 ? 0 : this.#scanned + this.#since;
    return { spooling: this.#spooling, bytes, isFull: this.#isFull };
  }

  consumer: Log['consumer'] = (options) => this.#remote.consumer(options);
  read: Log['read'] = (topic, partition, from, to) => this.#remote.read(topic, partition, from, to);
  epoch: Log['epoch'] = () => this.#remote.epoch();
  offsets: Log['offsets'] = (topic) => this.#remote.offsets(topic);
  committed: Log['committed'] = (topic, group) => this.#remote.committed(topic, group);
  retain: Log['retain'] = (topic, partition, before) => this.#remote.retain(topic, partition, before);
}

async function directoryBytes(dir: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => [])) {
    if (!entry.isFile()) continue;
    // One that is dropped meanwhile counts nothing.
    bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }))).size;
  }
  return bytes;
}
