import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AppError } from '../contract/index.ts';
import { createOtlpDecoder } from './decoder.ts';
import type { DecodedMetrics, OtlpSignal, SeriesEntry, TimeBounds } from './port.ts';
import { scanOtlp } from './scan.ts';
import { splitOtlp } from './split.ts';
import {
  decodeWithOracle,
  encodeWithOracle,
  type Message,
  oracleType,
  requests,
  testBounds,
} from './testdata/messages.ts';
import { type ExpectedPoint, expectedLogs, expectedPoints, expectedSpans } from './testdata/oracle.ts';
import { shuffleFields } from './testdata/shuffle.ts';

const signals: readonly OtlpSignal[] = ['metrics', 'traces', 'logs'];
const numRuns = 300;

/** A random valid request as wire bytes, its fields in random order, with what the oracle reads from them. */
function payloads(signal: OtlpSignal): fc.Arbitrary<{ bytes: Uint8Array; oracle: Message }> {
  const { type, message } = requests[signal];
  return fc
    .tuple(message, fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })))
    .map(([request, stream]) => {
      const random = () => stream.next().value ?? 0;
      const plain = encodeWithOracle(type, request);
      const bytes = shuffleFields(oracleType(type), plain, random);
      return { bytes, oracle: decodeWithOracle(type, plain) };
    });
}

function gathered(decoded: DecodedMetrics): ExpectedPoint[] {
  const { points } = decoded;
  const rows: ExpectedPoint[] = [];
  for (let i = 0; i < points.length; i++) {
    const series = points.series[i];
    if (series === undefined) throw new Error('a point without series');
    const row = {
      value: points.value[i],
      timeMs: points.timeMs[i],
      startMs: points.startMs[i],
      flags: points.flags[i],
    };
    rows.push({ series: described(series), ...row });
  }
  for (const list of [decoded.histograms, decoded.exponentialHistograms, decoded.summaries]) {
    for (const row of list) rows.push({ ...row, series: described(row.series) });
  }
  return rows;
}

const described = (series: SeriesEntry) => ({
  metric: series.metric,
  kind: series.kind,
  temporality: series.temporality,
  monotonic: series.monotonic,
  unit: series.unit,
  scope: series.scope,
  bounds: series.bounds,
  attributes: Object.fromEntries(series.attributes),
});

const byText = (rows: readonly unknown[]) => rows.map((row) => text(row)).sort();
const text = (row: unknown) =>
  JSON.stringify(row, (_key, value) => {
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0)))
      return `#${Object.is(value, -0) ? '-0' : value}`;
    if (value instanceof Map) return [...value].sort(([a], [b]) => (a < b ? -1 : 1));
    if (value instanceof Uint8Array || value?.type === 'Buffer')
      return Buffer.from(value.data ?? value).toString('hex');
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
    }
    return value;
  });

test('every metric point is decoded as protobufjs reads it, whatever the order of fields', () => {
  fc.assert(
    fc.property(payloads('metrics'), ({ bytes, oracle }) => {
      const decoder = createOtlpDecoder();
      const { records } = decoder.metrics(bytes, 7, testBounds);
      const decoded = decoder.takeMetrics();
      const expected = expectedPoints(oracle, testBounds);
      expect(byText(gathered(decoded))).toEqual(byText(expected.accepted));
      expect(records).toBe(expected.accepted.length);
      expect(byText(decoded.exemplars.map((row) => ({ ...row, series: row.series.metric })))).toEqual(
        byText(expected.exemplars),
      );
      const scan = scanOtlp('metrics', bytes, testBounds);
      expect(scan.records).toBe(records);
      expect(Object.fromEntries(scan.rejected)).toEqual(expected.rejected);
    }),
    { numRuns },
  );
});

test('every span is decoded as protobufjs reads it', () => {
  fc.assert(
    fc.property(payloads('traces'), ({ bytes, oracle }) => {
      const rows = createOtlpDecoder().traces(bytes, testBounds);
      const expected = expectedSpans(oracle, testBounds);
      expect(rows.map(text)).toEqual(expected.accepted.map(text));
      const scan = scanOtlp('traces', bytes, testBounds);
      expect(scan.records).toBe(rows.length);
      expect(Object.fromEntries(scan.rejected)).toEqual(expected.rejected);
    }),
    { numRuns },
  );
});

test('every log record is decoded as protobufjs reads it', () => {
  fc.assert(
    fc.property(payloads('logs'), ({ bytes, oracle }) => {
      const rows = createOtlpDecoder().logs(bytes, testBounds);
      const expected = expectedLogs(oracle, testBounds);
      expect(rows.map(({ hash: _hash, ...row }) => text(row))).toEqual(expected.accepted.map(text));
      expect(new Set(rows.map((row) => row.hash)).size).toBe(rows.length);
      const scan = scanOtlp('logs', bytes, testBounds);
      expect(scan.records).toBe(rows.length);
      expect(Object.fromEntries(scan.rejected)).toEqual(expected.rejected);
    }),
    { numRuns },
  );
});

test('nothing that was decoded looks at the payload afterwards: its memory has gone back', () => {
  for (const signal of signals) {
    fc.assert(
      fc.property(payloads(signal), ({ bytes }) => {
        // As the log hands it over: a `Buffer`, whose `slice` is a view.
        const payload = Buffer.from(new Uint8Array(bytes).buffer);
        const read = decodedRows(signal, payload);
        const before = read().map(text);
        payload.fill(0xee);
        expect(read().map(text)).toEqual(before);
      }),
      { numRuns },
    );
  }
});

/** Decodes at once; what it returns reads the rows as they are then. */
function decodedRows(signal: OtlpSignal, payload: Uint8Array): () => readonly unknown[] {
  const decoder = createOtlpDecoder();
  if (signal === 'traces') {
    const rows = decoder.traces(payload, testBounds);
    return () => rows;
  }
  if (signal === 'logs') {
    const rows = decoder.logs(payload, testBounds);
    return () => rows;
  }
  decoder.metrics(payload, 7, testBounds);
  const decoded = decoder.takeMetrics();
  const exemplars = () => decoded.exemplars.map((row) => ({ ...row, series: row.series.metric }));
  return () => [...gathered(decoded), ...exemplars()];
}

test('a split request carries the same records as the whole one', () => {
  for (const signal of signals) {
    fc.assert(
      fc.property(payloads(signal), fc.integer({ min: 200, max: 2000 }), ({ bytes }, maxBytes) => {
        const whole = scanOtlp(signal, bytes, testBounds);
        let parts: Uint8Array[];
        try {
          parts = splitOtlp(signal, bytes, maxBytes);
        } catch (error) {
          expect((error as AppError).code).toBe('otlp.record_too_large');
          return;
        }
        if (parts.length > 1) for (const part of parts) expect(part.length).toBeLessThanOrEqual(maxBytes);
        const scans = parts.map((part) => scanOtlp(signal, part, testBounds));
        expect(scans.reduce((sum, scan) => sum + scan.records, 0)).toBe(whole.records);
        expect(hoursOf(scans.flatMap((scan) => scan.hours))).toEqual(hoursOf(whole.hours));
        expect(recordsOf(signal, parts)).toEqual(recordsOf(signal, [bytes]));
      }),
      { numRuns: 150 },
    );
  }
});

function hoursOf(hours: readonly { hour: number; records: number }[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { hour, records } of hours) sums[hour] = (sums[hour] ?? 0) + records;
  return sums;
}

function recordsOf(signal: OtlpSignal, parts: readonly Uint8Array[]): string[] {
  const decoder = createOtlpDecoder();
  if (signal === 'traces') return byText(parts.flatMap((part) => decoder.traces(part, testBounds)));
  if (signal === 'logs')
    return byText(parts.flatMap((part) => decoder.logs(part, testBounds)).map(({ hash: _hash, ...row }) => row));
  for (const part of parts) decoder.metrics(part, 1, testBounds);
  return byText(gathered(decoder.takeMetrics()));
}

/** Bytes that were valid once: some overwritten, inserted, cut out or cut off. */
function mutated(signal: OtlpSignal): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    at: fc.nat(),
    kind: fc.integer({ min: 0, max: 3 }),
    byte: fc.integer({ min: 0, max: 255 }),
  });
  return fc.tuple(payloads(signal), fc.array(edit, { minLength: 1, maxLength: 4 })).map(([{ bytes }, edits]) => {
    let current = Buffer.from(bytes);
    for (const { at, kind, byte } of edits) {
      const position = current.length === 0 ? 0 : at % current.length;
      const [before, after] = [current.subarray(0, position), current.subarray(position)];
      if (kind === 0) current = Buffer.concat([before, Buffer.of(byte), after.subarray(1)]);
      else if (kind === 1) current = Buffer.concat([before, Buffer.of(byte), after]);
      else if (kind === 2) current = Buffer.concat([before, after.subarray(1)]);
      else current = Buffer.from(before);
    }
    return current;
  });
}

/** Runs and gives the result, or null for a coded refusal; anything else fails the test. */
function refusable<T>(run: () => T): T | null {
  try {
    return run();
  } catch (error) {
    if (error instanceof AppError && error.code.startsWith('otlp.')) return null;
    throw error;
  }
}

const everything: TimeBounds = { oldestMs: 0, newestMs: 2e13 };

test('broken bytes are refused by code, and what the door accepts the decoder accepts, record for record', () => {
  let refused = 0;
  let accepted = 0;
  const decoder = createOtlpDecoder();
  for (const signal of signals) {
    fc.assert(
      fc.property(mutated(signal), (bytes) => {
        const scan = refusable(() => scanOtlp(signal, bytes, everything));
        const records = refusable(() => {
          if (signal === 'traces') return decoder.traces(bytes, everything).length;
          if (signal === 'logs') return decoder.logs(bytes, everything).length;
          return decoder.metrics(bytes, 1, everything).records;
        });
        if (signal === 'metrics') expect(decoder.takeMetrics().points.length).toBeLessThanOrEqual(records ?? 0);
        if (scan === null) refused++;
        else {
          accepted++;
          expect(records).toBe(scan.records);
        }
      }),
      { numRuns: 700 },
    );
  }
  // The test says nothing unless both outcomes were met.
  expect(refused).toBeGreaterThan(100);
  expect(accepted).toBeGreaterThan(100);
}, 120_000);
