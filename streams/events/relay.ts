import type { Logger } from 'pino';
import type { Lease, Outbox, OutboxEntry } from '../control/port.ts';
import type { Log, LogMessage } from '../log/port.ts';

const batchEvents = 200;
const dropEveryMs = 3_600_000;

/** Structured mode of the CloudEvents Kafka binding: the whole event as JSON in the payload. */
export function toMessage({ event }: OutboxEntry): LogMessage {
  return {
    key: event.tenantid ?? 'platform',
    headers: { 'content-type': 'application/cloudevents+json; charset=UTF-8' },
    payload: Buffer.from(JSON.stringify(event)),
  };
}

export interface RelayOptions {
  readonly outbox: Outbox;
  readonly log: Pick<Log, 'append'>;
  readonly lease: Lease;
  readonly logger: Logger;
  readonly keptDays: number;
  /** How often the outbox is looked at besides the calls of its own process. */
  readonly pollMs: number;
  readonly onSent?: (types: readonly string[]) => void;
  readonly onBacklog?: (backlog: { events: number; since: string | null }) => void;
}

/** Sends what waits in the outbox to topic `events`. */
export interface Relay {
  start(): void;
  /** Finishes the batch in hand. Idempotent. */
  stop(): Promise<void>;
  /** Sends one batch; returns how many events it was. */
  sendBatch(): Promise<number>;
}

/**
 * Appends waiting events to the log in order and marks them sent.
 *
 * *Bias* at least once: a process that ends between the append and the mark, or stands still before the append, makes the next leader send the same events again under the same ids. None is skipped.
 */
export function createRelay(options: RelayOptions): Relay {
  const { outbox, log, lease, logger } = options;
  let stopped = false;
  let wake: (() => void) | undefined;
  let isWoken = false;
  let loop: Promise<void> | undefined;
  let droppedAt = Number.NEGATIVE_INFINITY;
  const endWake = outbox.onWritten(() => {
    isWoken = true;
    wake?.();
  });

  async function sendBatch(): Promise<number> {
    const entries = await outbox.waiting(batchEvents);
    if (entries.length === 0) return 0;
    await lease.check();
    await log.append('events', entries.map(toMessage));
    await outbox.markSent(entries, lease);
    options.onSent?.(entries.map(({ event }) => event.type));
    return entries.length;
  }

  async function dropOld(): Promise<void> {
    if (performance.now() - droppedAt < dropEveryMs) return;
    while ((await outbox.drop(options.keptDays, lease)) > 0 && !stopped);
    droppedAt = performance.now();
  }

  async function pause(ms: number): Promise<void> {
    if (isWoken || stopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    wake = undefined;
  }

  async function run(): Promise<void> {
    let failures = 0;
    while (!stopped && !lease.signal.aborted) {
      isWoken = false;
      let sent = 0;
      try {
        sent = await sendBatch();
        if (options.onBacklog !== undefined) options.onBacklog(await outbox.backlog());
        await dropOld();
        failures = 0;
      } catch (error) {
        if (stopped || lease.signal.aborted) return;
        failures += 1;
        if (failures === 1)
          logger.warn({ err: error }, 'domain events could not be sent; they wait and are tried again');
      }
      if (failures > 0) {
        isWoken = false;
        await pause(Math.min(30_000, 500 * 2 ** Math.min(failures, 6)) * (0.5 + Math.random() / 2));
      } else if (sent < batchEvents) await pause(options.pollMs);
    }
  }

  return {
    start() {
      loop ??= run();
    },
    async stop() {
      stopped = true;
      endWake();
      wake?.();
      await loop;
    },
    sendBatch,
  };
}
