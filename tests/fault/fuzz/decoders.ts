import fc from 'fast-check';
import { AppError } from 'streams/contract';
import {
  createOtlpDecoder,
  encodeOtlp,
  filterOtlp,
  type OtlpSignal,
  otlpJsonToProtobuf,
  scanOtlp,
  splitOtlp,
  translateRemoteWrite,
} from 'streams/otlp';
import { encodeMessage, toMessage } from 'streams/otlp/remote-write-messages';
import { otlpRequests } from './corpus.ts';
import { mutations } from './mutation.ts';

const nowMs = Date.UTC(2026, 10, 21);
const bounds = { oldestMs: nowMs - 400 * 86_400_000, newestMs: nowMs + 86_400_000 };
const signals: readonly OtlpSignal[] = ['metrics', 'traces', 'logs'];
const requests = otlpRequests(nowMs);
const payloads = signals.map((signal) => ({
  signal,
  protobuf: Buffer.from(encodeOtlp(signal, requests[signal])),
  json: Buffer.from(JSON.stringify(requests[signal])),
}));

const remoteSeries = {
  labels: [
    ['__name__', 'fuzz_total'],
    ['job', 'node'],
  ] as const,
  samples: [{ timestamp: nowMs, value: 1 }],
};
const remoteWrites = (['1.0', '2.0'] as const).map((version) => ({
  version,
  bytes: Buffer.from(encodeMessage(version, toMessage(version, [remoteSeries]))),
}));

/** So few that some of the records are cut out. */
const fewAttributes = { perRecord: 3, nameBytes: 12, valueBytes: 40 };

/** Milliseconds that one small payload may take; far above what it does, on a loaded machine too. */
const slowMs = 2000;

/** Runs a decoder; anything but a result or a coded refusal of the input is a fault. */
function refusedOr<T>(what: string, run: () => T): T | null {
  const began = performance.now();
  const result = attempt(what, run);
  const took = performance.now() - began;
  if (took > slowMs) throw new Error(`${what} took ${Math.round(took)} ms`);
  return result;
}

function attempt<T>(what: string, run: () => T): T | null {
  try {
    return run();
  } catch (error) {
    if (error instanceof AppError && error.status >= 400 && error.status < 500) return null;
    throw new Error(`${what} threw what is no refusal: ${error instanceof Error ? error.stack : String(error)}`);
  }
}

function decode(signal: OtlpSignal, bytes: Uint8Array): number {
  const decoder = createOtlpDecoder({ maxSeries: 1000 });
  if (signal === 'traces') return decoder.traces(bytes, bounds).length;
  if (signal === 'logs') return decoder.logs(bytes, bounds).length;
  return decoder.metrics(bytes, 1, bounds).records;
}

function exercise(signal: OtlpSignal, bytes: Uint8Array): void {
  const scan = refusedOr('the scan', () => scanOtlp(signal, bytes, bounds));
  const rows = refusedOr('the decoder', () => decode(signal, bytes));
  if (scan === null) return;
  if (rows !== scan.records) throw new Error(`the door counts ${scan.records} ${signal}, the store ${rows}`);
  const parts = refusedOr('the split', () => splitOtlp(signal, bytes, 256)) ?? [];
  const inParts = parts.reduce((sum, part) => sum + scanOtlp(signal, part, bounds).records, 0);
  if (parts.length > 0 && inParts !== scan.records)
    throw new Error(`the parts have ${inParts} of ${scan.records} ${signal}`);
  const { cut, records } = scanOtlp(signal, bytes, bounds, { attributes: fewAttributes });
  const filtered = refusedOr('the filter', () => filterOtlp(signal, bytes, cut));
  if (filtered === null) throw new Error('the filter refused what the scan had accepted');
  const left = scanOtlp(signal, filtered, bounds).records;
  if (left !== records) throw new Error(`the filter left ${left} of ${records} ${signal}`);
}

/**
 * Every decoder of the door on mutated payloads: refuses or reads, in time, and what the door accepts the store reads, record for record.
 *
 * *Errors* throws with fast-check's counterexample and seed.
 */
export function fuzzDecoders(seed: number, numRuns: number): void {
  fc.assert(
    fc.property(fc.constantFrom(...payloads), fc.boolean(), mutations, ({ signal, protobuf, json }, asJson, mutate) => {
      const bytes = mutate(asJson ? json : protobuf);
      const read = asJson ? refusedOr('the JSON reader', () => otlpJsonToProtobuf(signal, bytes)) : bytes;
      if (read !== null) exercise(signal, read);
    }),
    { seed, includeErrorInReport: true, numRuns },
  );
  fc.assert(
    fc.property(fc.constantFrom(...remoteWrites), mutations, ({ version, bytes }, mutate) => {
      const translated = refusedOr('remote-write', () =>
        translateRemoteWrite(mutate(bytes), { version, bounds, maxBytes: 1_000_000 }),
      );
      if (translated === null) return;
      const { written, repeated, payload } = translated;
      const { records } = scanOtlp('metrics', payload, bounds);
      // A repeated equal sample counts as written each time, and is one point.
      if (records - repeated > written.samples + written.histograms)
        throw new Error(`remote-write made ${records} points of ${written.samples} samples`);
    }),
    { seed, includeErrorInReport: true, numRuns: Math.ceil(numRuns / 4) },
  );
}
