import type { ConsumerOptions, LogRecord } from './port.ts';

/** Where a partition's consumer takes its records from: the segments, or what was fetched from the broker. */
export interface RecordSource {
  /** Resolves when the record at `offset` is there, or when `signal` is aborted. */
  waitFor(offset: number, signal: AbortSignal): Promise<void>;
  /** What is there of `[from, to)`, in order. */
  read(from: number, to: number): AsyncIterable<LogRecord> | Iterable<LogRecord>;
}

type GatherOptions = Pick<ConsumerOptions, 'maxRecords' | 'maxBytes' | 'weigh' | 'lingerMs' | 'busyLingerMs'>;

/** A batch that holds this part of `maxBytes` when its linger ends may wait on: what comes so fast fills it soon. */
const busyShare = 32;
/** A batch that is not full waits so many times what the one before it took: small batches cost nearly what full ones do, and whoever appends needs the processors more. */
const restTimes = 4;

/** How long the next batch may linger when the one before it took `tookMs`. */
export function lingerAfter(options: GatherOptions, tookMs: number): number {
  const { lingerMs, busyLingerMs = lingerMs } = options;
  return Math.min(Math.max(lingerMs, restTimes * tookMs), Math.max(lingerMs, busyLingerMs));
}

/** Waits for a record, then takes what is there up to the limits, waiting at most `lingerMs` for more. */
export async function gatherBatch(
  source: RecordSource,
  from: number,
  options: GatherOptions,
  run: { readonly lingerMs: number; readonly stopping: AbortSignal },
): Promise<readonly LogRecord[]> {
  const { stopping } = run;
  await source.waitFor(from, stopping);
  const records: LogRecord[] = [];
  const { weigh = recordBytes, maxBytes, maxRecords, busyLingerMs } = options;
  let bytes = 0;
  let full = false;
  const take = async () => {
    for await (const record of source.read(from + records.length, from + maxRecords)) {
      const weight = weigh(record);
      if (records.length > 0 && bytes + weight > maxBytes) {
        full = true;
        return;
      }
      bytes += weight;
      records.push(record);
    }
    full = records.length >= maxRecords || bytes >= maxBytes;
  };
  await take();
  if (full || run.lingerMs <= 0) return records;
  const latest = performance.now() + (busyLingerMs ?? run.lingerMs);
  // Where much is waiting there is nothing to rest for: the next record may take a moment, no more.
  const isBusy = () => bytes * busyShare >= maxBytes;
  const moment = Math.min(run.lingerMs, options.lingerMs);
  let linger = deadline(isBusy() ? moment : run.lingerMs, stopping);
  while (!full && !linger.signal.aborted) {
    await source.waitFor(from + records.length, linger.signal);
    await take();
    const left = latest - performance.now();
    if (!isBusy() || left <= 0 || linger.signal.aborted) continue;
    linger.clear();
    linger = deadline(Math.min(moment, left), stopping);
  }
  linger.clear();
  return records;
}

/** What a record counts towards `maxBytes` unless the consumer weighs itself. */
export function recordBytes(record: LogRecord): number {
  let bytes = (record.payloadBytes ?? record.payload.length) + record.key.length;
  for (const [name, value] of Object.entries(record.headers)) bytes += name.length + value.length;
  return bytes;
}

/** A signal that is aborted after `ms`, or when `stopping` is. */
export function deadline(ms: number, stopping: AbortSignal): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = setTimeout(abort, ms);
  stopping.addEventListener('abort', abort, { once: true });
  if (stopping.aborted) abort();
  return {
    signal: controller.signal,
    clear: () => {
      clearTimeout(timer);
      stopping.removeEventListener('abort', abort);
    },
  };
}

/** Resolves after `ms`, or when `stopping` is aborted. */
export function pause(ms: number, stopping: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const until = deadline(ms, stopping);
    const done = () => {
      until.clear();
      resolve();
    };
    if (until.signal.aborted) done();
    else until.signal.addEventListener('abort', done, { once: true });
  });
}
