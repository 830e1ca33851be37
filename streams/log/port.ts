import { giveBack } from './payload-compression.ts';

/** The durable log. Every adapter (embedded segments, Kafka) passes `conformance.ts`. */

/** Topics and how many partitions each has; a message's key (the tenant id) decides its partition. */
export const topics = {
  /** Accepted telemetry and usage events, as {@link Envelope} and payload. */
  telemetry: { partitions: 2 },
  /** Proposals of analytics and licensing, JSON of `Decision`. */
  decisions: { partitions: 1 },
  /** Domain events in the order of their commits, JSON of a CloudEvent. */
  events: { partitions: 1 },
} as const;
export type TopicName = keyof typeof topics;

/** A message to append. `headers` travel beside the payload and are cheap to read without touching it. */
export interface LogMessage {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The log keeps nothing of it once `append` has settled. */
  readonly payload: Uint8Array;
  /** The payload as its sender compressed it (gzip or zstd), if known: the log then need not compress it again. Not there on what is read back. */
  readonly packed?: Uint8Array;
}

/** A message as read back. `offset` counts one by one within its partition; a log whose data was made anew goes on above all offsets that it has given out before. */
export interface LogRecord extends LogMessage {
  readonly topic: TopicName;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since the epoch when the log took it. */
  readonly appendedAt: number;
  /** Length of `payload`, known without unpacking it. */
  readonly payloadBytes?: number;
  /** True when each reading of `payload` unpacks it anew into memory of its own. */
  readonly payloadIsCopy?: boolean;
}

/**
 * Hands a record's payload to `use` and gives its memory back when that returns.
 *
 * *Bias* nothing of the payload may be kept: a view of it is empty afterwards. The record itself can be read again.
 */
export function usePayload<T>(record: LogRecord, use: (payload: Uint8Array) => T): T {
  const { payload } = record;
  try {
    return use(payload);
  } finally {
    if (record.payloadIsCopy === true) giveBack(payload);
  }
}

export interface LogPosition {
  readonly partition: number;
  readonly offset: number;
}

/**
 * A planned range of one partition. The range is durable before the handler runs; after a crash the same range comes again, byte for byte, with the same token.
 *
 * *Shape* `token` = epoch-topic-partition-first-last: the deduplication token of every insert made from this batch.
 */
export interface LogBatch {
  readonly topic: TopicName;
  readonly partition: number;
  readonly epoch: string;
  readonly first: number;
  readonly last: number;
  readonly token: string;
  /** True when a handler may have seen this range before (crash or error between plan and commit). */
  readonly redelivered: boolean;
  readonly records: readonly LogRecord[];
  /**
   * Asks the log whether the range is still this consumer's. Not there where nobody else can have it.
   *
   * *Errors* `log.fenced` when another consumer has the partition now; `log.unavailable`.
   */
  confirm?(): Promise<void>;
}

export interface ConsumerOptions {
  readonly topic: TopicName;
  readonly group: string;
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** What a record counts towards `maxBytes`. Default: its payload, key and headers. */
  weigh?(record: LogRecord): number;
  /** How long to gather a fuller batch once one record is there. */
  readonly lingerMs: number;
  /** While much is coming in (a thirty-second of `maxBytes` waits already), each record starts `lingerMs` anew, up to this long in all: fewer and fuller batches; and the linger grows up to this with what the batch before took. Default: `lingerMs`. */
  readonly busyLingerMs?: number;
  /** Runs one batch at a time a partition. Throwing redelivers the same range after a back-off; nothing is skipped. */
  handle(batch: LogBatch): Promise<void>;
  /** Partitions that this consumer gets and has not had just before: what is known of them in memory may be old. Before their first batch. */
  onAssigned?(partitions: readonly number[]): void;
  /** Partitions that this consumer has let go, for now or for good. */
  onRevoked?(partitions: readonly number[]): void;
  onError(error: unknown, batch: LogBatch | null): void;
}

export interface Consumer {
  start(): Promise<void>;
  /** Finishes the batch in hand, commits it, then stops. Idempotent. */
  stop(): Promise<void>;
  /** Records appended and not yet committed, over all partitions. */
  lag(): Promise<number>;
}

export interface Log {
  /** True when other processes may consume the same topics: what one process keeps to itself is not enough to decide. */
  readonly isShared?: boolean;
  start(): Promise<void>;
  stop(): Promise<void>;
  /**
   * Resolves when every message is on disk (fsync) or acknowledged by all in-sync replicas.
   *
   * *Shape* positions in the order of the messages; none when the brokers are away and the messages are durable here until they are back.
   * *Errors* `log.unavailable` (retryable): nothing may be assumed stored; `log.message_too_large` (not retryable).
   */
  append(topic: TopicName, messages: readonly LogMessage[]): Promise<LogPosition[]>;
  consumer(options: ConsumerOptions): Consumer;
  /** Reads `[from, to)` of a partition in order, for replay, reconciliation and inspection. */
  read(topic: TopicName, partition: number, from: number, to: number): AsyncIterable<LogRecord>;
  /** The log's own identity, made once with its data: part of every token. */
  epoch(): string;
  offsets(topic: TopicName): Promise<readonly { partition: number; first: number; next: number }[]>;
  committed(topic: TopicName, group: string): Promise<readonly { partition: number; next: number }[]>;
  /** Drops whole segments that end before `before` and before every group's commit. Returns the number of bytes freed. */
  retain(topic: TopicName, partition: number, before: number): Promise<number>;
}
