import fc from 'fast-check';
import protobuf from 'protobufjs';
import type { RemoteWriteVersion } from '../port.ts';

/** The oracle: the schema as protobufjs reads it. Tests only. */
const root = protobuf.loadSync(new URL('./remote-write.proto', import.meta.url).pathname).resolveAll();

export type Message = Record<string, unknown>;

const messageNames: Readonly<Record<RemoteWriteVersion, string>> = { '1.0': 'WriteRequest', '2.0': 'Request' };
export const messageType = (version: RemoteWriteVersion): protobuf.Type =>
  root.lookupType(`rw.${messageNames[version]}`);

export function encodeMessage(version: RemoteWriteVersion, message: Message): Uint8Array {
  const type = messageType(version);
  return type.encode(type.fromObject(message)).finish();
}

/** Decodes to plain objects with all defaults: 64-bit integers as numbers. */
export function decodeMessage(version: RemoteWriteVersion, bytes: Uint8Array): Message {
  const type = messageType(version);
  return type.toObject(type.decode(Buffer.from(bytes)), { longs: Number, arrays: true, defaults: true, oneofs: true });
}

/** What a series says in either version; 1.0 cannot say type, unit, help, starts. */
export interface SeriesModel {
  readonly labels: readonly (readonly [string, string])[];
  readonly samples: readonly Message[];
  readonly histograms: readonly Message[];
  readonly exemplars: readonly { labels: readonly (readonly [string, string])[]; value: number; timestamp: number }[];
  readonly type: number;
  readonly unit: string;
  readonly help: string;
  readonly created: number;
}

/** A 1.0 message of the model. */
export function toWriteRequest(series: readonly Partial<SeriesModel>[]): Message {
  const pairs = (labels: SeriesModel['labels'] = []) => labels.map(([name, value]) => ({ name, value }));
  return {
    timeseries: series.map(({ labels, samples = [], histograms = [], exemplars = [] }) => ({
      labels: pairs(labels),
      samples,
      histograms,
      exemplars: exemplars.map((one) => ({ ...one, labels: pairs(one.labels) })),
    })),
    metadata: series.map(({ type = 0, help = '', unit = '' }) => ({ type, metricFamilyName: 'any', help, unit })),
  };
}

/** A 2.0 message of the model, with a symbol table without repetitions. */
export function toV2Request(series: readonly Partial<SeriesModel>[]): Message {
  const symbols = new Map([['', 0]]);
  const ref = (text: string) => {
    const known = symbols.get(text) ?? symbols.size;
    symbols.set(text, known);
    return known;
  };
  const refs = (labels: SeriesModel['labels'] = []) => labels.flat().map(ref);
  const timeseries = series.map((one) => ({
    labelsRefs: refs(one.labels),
    samples: one.samples ?? [],
    histograms: one.histograms ?? [],
    exemplars: (one.exemplars ?? []).map(({ labels, ...rest }) => ({ ...rest, labelsRefs: refs(labels) })),
    metadata: { type: one.type ?? 0, helpRef: ref(one.help ?? ''), unitRef: ref(one.unit ?? '') },
    createdTimestamp: one.created ?? 0,
  }));
  return { symbols: [...symbols.keys()], timeseries };
}

export const toMessage = (version: RemoteWriteVersion, series: readonly Partial<SeriesModel>[]): Message =>
  version === '1.0' ? toWriteRequest(series) : toV2Request(series);

/** All messages are within these bounds unless they mean not to be. */
export const testBounds = { oldestMs: 1_700_000_000_000, newestMs: 1_800_000_000_000 };
const now = 1_750_000_000_000;

const time = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: now, max: now + 4 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -5, testBounds.oldestMs - 1, testBounds.newestMs + 1) },
);
const start = fc.constantFrom(0, 0, now - 1000, now + 2, now + 10, -1);
const staleBits = Buffer.from([2, 0, 0, 0, 0, 0, 0xf0, 0x7f]);
/** The stale marker, as a number that keeps its bits on the way into a message. */
export const stale = staleBits.readDoubleLE();
const value = fc.oneof(fc.double(), fc.constantFrom(0, 1, 1.5, Number.NaN, Number.POSITIVE_INFINITY));

const name = fc.constantFrom('job', 'instance', 'le', 'zone', 'a');
const odd = fc.constantFrom('', '1x', 'dotted.name', 'Ü', '__name__');
const typed = fc.constantFrom<[string, string]>(
  ['__type__', 'gauge'],
  ['__type__', 'counter'],
  ['__type__', 'nope'],
  ['__unit__', 'seconds'],
);
const labels = fc
  .tuple(
    fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom('up', 'x_total', 'x_bucket', 'x_count', 'q_seconds_sum', 'x_bytes') },
      { weight: 1, arbitrary: fc.constantFrom('', '9x', 'dotted.name') },
    ),
    fc.uniqueArray(fc.tuple(name, fc.constantFrom('v', 'w', '', 'é', '0.5')), { maxLength: 3, selector: ([n]) => n }),
    fc.oneof(
      { weight: 8, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(fc.tuple(fc.oneof(name, odd), fc.constant('extra')), { maxLength: 2 }) },
      { weight: 2, arbitrary: fc.array(typed, { minLength: 1, maxLength: 1 }) },
    ),
    fc.boolean(),
  )
  .map(([metric, own, extra, sorted]): [string, string][] => {
    const all: [string, string][] = [['__name__', metric], ...own, ...extra];
    return sorted ? all.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)) : all;
  });

const side = (isFloat: boolean) =>
  fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 4 })), { maxLength: 3 }).chain((spans) =>
    fc
      .tuple(
        fc.array(fc.integer({ min: 0, max: 9 }), {
          minLength: spans.reduce((sum, [, length]) => sum + length, 0),
          maxLength: spans.reduce((sum, [, length]) => sum + length, 0),
        }),
        fc.integer({ min: -300, max: 300 }),
      )
      .map(([counts, first]) => ({
        spans: spans.map(([offset, length], i) => ({ offset: i === 0 ? first : offset, length })),
        counts,
        deltas: isFloat ? [] : counts.map((count, i) => count - (counts[i - 1] ?? 0)),
      })),
  );

/** Mostly valid native histograms; now and then one that breaks a rule. */
const histogram: fc.Arbitrary<Message> = fc.boolean().chain((isFloat) =>
  fc
    .record({
      schema: fc.oneof(
        { weight: 6, arbitrary: fc.integer({ min: -4, max: 8 }) },
        { weight: 2, arbitrary: fc.constant(-53) },
        { weight: 1, arbitrary: fc.constantFrom(-5, 9) },
      ),
      negative: side(isFloat),
      positive: side(isFloat),
      zero: fc.integer({ min: 0, max: 5 }),
      zeroThreshold: fc.constantFrom(0, 1e-128),
      sum: fc.oneof(fc.double(), fc.constant(Number.NaN)),
      timestamp: time,
      startTimestamp: start,
      resetHint: fc.constantFrom(0, 0, 1, 2, 3),
      spoil: fc.constantFrom(0, 0, 0, 0, 0.5, 1),
    })
    .map((h) => {
      const isCustom = h.schema === -53;
      const negative = isCustom ? { spans: [], counts: [], deltas: [] } : h.negative;
      const first = h.positive.spans[0];
      const spans = isCustom && first ? [{ ...first, offset: 1 }, ...h.positive.spans.slice(1)] : h.positive.spans;
      const zero = isCustom ? 0 : h.zero;
      const total = [...negative.counts, ...h.positive.counts, zero].reduce((sum, count) => sum + count, 0);
      const count = isFloat ? { countFloat: total + h.spoil } : { countInt: total + Math.floor(h.spoil) };
      return {
        ...count,
        ...(isFloat ? { zeroCountFloat: zero } : { zeroCountInt: zero }),
        sum: h.sum,
        schema: h.schema,
        zeroThreshold: isCustom ? 0 : h.zeroThreshold,
        negativeSpans: negative.spans,
        positiveSpans: spans,
        ...(isFloat
          ? { negativeCounts: negative.counts, positiveCounts: h.positive.counts }
          : { negativeDeltas: negative.deltas, positiveDeltas: h.positive.deltas }),
        resetHint: h.resetHint,
        timestamp: h.timestamp,
        customValues: isCustom ? Array.from({ length: 12 }, (_one, i) => i - 3.5) : [],
        startTimestamp: h.startTimestamp,
      };
    }),
);

const exemplar = fc.record({
  labels: fc.array(
    fc.constantFrom<[string, string]>(
      ['trace_id', '0af7651916cd43dd8448eb211c80319c'],
      ['span_id', 'b7ad6b7169203331'],
      ['trace_id', 'short'],
      ['user', 'ü'],
      ['', 'x'],
    ),
    { maxLength: 2 },
  ),
  value: fc.double({ noNaN: true }),
  timestamp: time,
});

const sample = fc.record({ value, timestamp: time, startTimestamp: start });
const series: fc.Arbitrary<SeriesModel> = fc.record({
  labels,
  samples: fc.oneof(fc.array(sample, { maxLength: 4 }), fc.array(sample, { maxLength: 1 })),
  histograms: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(histogram, { maxLength: 3 })),
  exemplars: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, fc.array(exemplar, { maxLength: 2 })),
  type: fc.integer({ min: 0, max: 8 }),
  unit: fc.constantFrom('', '', 'seconds', 'parsecs'),
  help: fc.constantFrom('', 'What it is.'),
  created: fc.constantFrom(0, 0, 0, now - 500),
});
export const seriesLists = fc.array(series, { maxLength: 8 });
