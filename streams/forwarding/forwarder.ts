import type { Logger } from 'pino';
import { AppError } from '../contract/index.ts';
import { type Envelope, fromHeaders } from '../log/envelope.ts';
import { type Consumer, type Log, type LogBatch, type LogRecord, usePayload } from '../log/port.ts';
import type { OtlpSignal } from '../otlp/port.ts';
import type { OtlpSender, SendResult } from './otlp-sender.ts';
import { withTenant } from './tenant-attribute.ts';

/** The consumer group whose commit is the position of forwarding. */
export const forwardGroup = 'forward';

/** What one request carries at most, before compression; a single record can be as large as ingest makes them. */
const requestBytesMax = 1024 * 1024;
const backoffMsMax = 30_000;
/** A receiver that fails over a payload so often will not take it: 500 is not retryable by the specification, and is often gone a moment later. */
const faultsMax = 8;

export type ForwardOutcome = 'sent' | 'rejected' | 'refused' | 'expired' | 'filtered' | 'unreadable';

export interface ForwarderOptions {
  readonly log: Pick<Log, 'consumer'>;
  readonly sender: OtlpSender;
  readonly logger: Logger;
  readonly now: () => number;
  readonly signals: ReadonlySet<OtlpSignal>;
  /** Null: all. */
  readonly tenants: ReadonlySet<string> | null;
  /** Records that the log has had for longer are left out, so that a receiver that stays away does not hold the log for ever. */
  readonly maxAgeMs: number;
  /** First pause after a failure; it doubles up to 30 s. */
  readonly backoffMs?: number;
  readonly onRecords?: (signal: string, outcome: ForwardOutcome, records: number) => void;
  /** Why nothing goes out at the moment; null when something does. */
  readonly onHolding?: (reason: string | null) => void;
}

/** A record of the log as it goes out. */
interface Parcel {
  readonly record: LogRecord;
  /** The payload with its tenant's name. */
  readonly body: Uint8Array;
  /** Points, spans or log records. */
  readonly items: number;
}

/** What goes out as one request of a signal. */
interface Shipment {
  readonly signal: OtlpSignal;
  readonly parcels: readonly Parcel[];
}

/**
 * Sends accepted telemetry to another receiver, in the order of the log, from where the group's commit stands.
 *
 * *Shape* several records of one signal travel as one request: their messages laid end to end are one message. Usage events are not sent.
 * *Bias* at least once: after a crash or a restart the batch in hand is sent again. Dropped is what the receiver calls bad, and what is older than `maxAgeMs`; both are counted.
 */
export function createForwarder(options: ForwarderOptions): Consumer {
  const { sender, logger, now } = options;
  const stopping = new AbortController();
  let held: string | null = null;

  const report = (signal: string, outcome: ForwardOutcome, items: number) => {
    if (items > 0) options.onRecords?.(signal, outcome, items);
  };

  function hold(reason: string | null): void {
    if (reason === held) return;
    held = reason;
    options.onHolding?.(reason);
    if (reason !== null)
      logger.warn({ reason }, 'forwarding holds: the receiver does not take telemetry; it is tried again');
    else logger.info('forwarding goes on');
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        reject(stopped());
      };
      const timer = setTimeout(() => {
        stopping.signal.removeEventListener('abort', end);
        resolve();
      }, ms);
      stopping.signal.addEventListener('abort', end, { once: true });
      if (stopping.signal.aborted) end();
    });
  }

  const isExpired = (record: LogRecord) => now() - record.appendedAt > options.maxAgeMs;

  /** Until the receiver has taken or refused it. Null: it has become too old meanwhile. */
  async function deliver({ signal, parcels }: Shipment): Promise<SendResult | null> {
    const payload = Buffer.concat(parcels.map(({ body }) => body));
    for (let attempt = 0; ; attempt++) {
      if (stopping.signal.aborted) throw stopped();
      if (parcels.every(({ record }) => isExpired(record))) return null;
      const result = await sender.send(signal, payload, stopping.signal);
      if (stopping.signal.aborted && result.kind !== 'sent') throw stopped();
      if (result.kind === 'sent' || result.kind === 'refused') {
        hold(null);
        return result;
      }
      hold(result.reason);
      if (result.kind === 'unwelcome' && result.isFault && attempt + 1 >= faultsMax)
        return { kind: 'refused', reason: result.reason };
      const backoff = Math.min(backoffMsMax, (options.backoffMs ?? 500) * 2 ** Math.min(attempt, 16));
      const asked = result.kind === 'retry' ? result.afterMs : null;
      // Jitter on top of what was asked for, so that many senders do not come back at once.
      await pause(
        asked === null
          ? backoff * (0.5 + Math.random() / 2)
          : Math.min(asked, 600_000) + Math.random() * Math.min(backoff, 1000),
      );
    }
  }

  async function ship(shipment: Shipment): Promise<void> {
    const { signal, parcels } = shipment;
    const items = parcels.reduce((sum, parcel) => sum + parcel.items, 0);
    const [first] = parcels;
    const result = await deliver(shipment);
    if (result === null) report(signal, 'expired', items);
    else if (result.kind === 'sent') {
      const rejected = Math.min(result.rejected, items);
      report(signal, 'rejected', rejected);
      report(signal, 'sent', items - rejected);
    } else if (parcels.length === 1) {
      report(signal, 'refused', items);
      logger.warn(
        {
          signal,
          items,
          partition: first?.record.partition,
          offset: first?.record.offset,
          reason: result.kind === 'refused' ? result.reason : '',
        },
        'forwarding: the receiver refuses a payload; it is left out',
      );
    } else {
      // One of them is bad: each alone, so that the others arrive.
      for (const parcel of parcels) await ship({ signal, parcels: [parcel] });
    }
  }

  async function handle(batch: LogBatch): Promise<void> {
    for (const shipment of shipmentsOf(batch.records, options, report)) await ship(shipment);
  }

  const consumer = options.log.consumer({
    topic: 'telemetry',
    group: forwardGroup,
    maxRecords: 256,
    maxBytes: 4 * 1024 * 1024,
    lingerMs: 200,
    handle,
    onError(error) {
      if (stopping.signal.aborted) return;
      logger.error({ err: error }, 'forwarding failed and is tried again');
    },
  });
  return {
    start: () => consumer.start(),
    async stop() {
      stopping.abort();
      await consumer.stop();
    },
    lag: () => consumer.lag(),
  };
}

const stopped = () =>
  new AppError('forwarding.stopped', 'forwarding is stopping; the batch is sent again', { retryable: true });

function envelopeOf(record: LogRecord): Envelope | null {
  try {
    return fromHeaders(record.headers);
  } catch {
    return null;
  }
}

/** Null: ingest accepted what is well formed, so this is damage, which must not hold up everything behind it. */
function bodyOf(record: LogRecord, tenant: string): Uint8Array | null {
  try {
    return usePayload(record, (payload) => withTenant(payload, tenant));
  } catch {
    return null;
  }
}

/** What of a batch is to go out, in order: neighbours of one signal together up to the size of a request. */
function* shipmentsOf(
  records: readonly LogRecord[],
  options: ForwarderOptions,
  report: (signal: string, outcome: ForwardOutcome, items: number) => void,
): Generator<Shipment> {
  const open = new Map<OtlpSignal, { parcels: Parcel[]; bytes: number }>();
  for (const record of records) {
    const envelope = envelopeOf(record);
    if (envelope === null) {
      report('unknown', 'unreadable', 1);
      continue;
    }
    if (envelope.encoding !== 'otlp' || envelope.signal === 'events') continue;
    const { signal, tenant, counts } = envelope;
    const items = counts.reduce((sum, count) => sum + count.records, 0);
    const isWanted = options.signals.has(signal) && (options.tenants === null || options.tenants.has(tenant));
    const isOld = options.now() - record.appendedAt > options.maxAgeMs;
    const body = isWanted && !isOld ? bodyOf(record, tenant) : null;
    if (body === null) {
      report(signal, !isWanted ? 'filtered' : isOld ? 'expired' : 'unreadable', items);
      continue;
    }
    const parcel = { record, body, items };
    const pending = open.get(signal);
    if (pending !== undefined && pending.bytes + body.length <= requestBytesMax) {
      pending.parcels.push(parcel);
      pending.bytes += body.length;
      continue;
    }
    if (pending !== undefined) yield { signal, parcels: pending.parcels };
    open.set(signal, { parcels: [parcel], bytes: body.length });
  }
  for (const [signal, { parcels }] of open) yield { signal, parcels };
}
