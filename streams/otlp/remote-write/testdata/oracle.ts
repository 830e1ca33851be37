import type { RemoteWriteVersion } from '../port.ts';
import { decodeMessage, type Message, testBounds } from './messages.ts';

/** A point in words that can be compared; keys are sorted by the test. */
export type Expected = Record<string, unknown>;

export interface ExpectedTranslation {
  readonly points: Expected[];
  readonly written: { samples: number; histograms: number; exemplars: number };
  readonly rejected: Record<string, number>;
}

interface PlainSeries {
  readonly labels: [string, string][];
  readonly samples: Message[];
  readonly histograms: Message[];
  readonly exemplars: { labels: [string, string][]; value: number; timestamp: number }[];
  readonly type: number;
  readonly unit: string;
}

/** The message as its own schema reads it, both versions in one shape. */
function plainSeries(version: RemoteWriteVersion, bytes: Uint8Array): PlainSeries[] {
  const message = decodeMessage(version, bytes);
  const list = message['timeseries'] as Message[];
  if (version === '1.0') {
    const pairs = (labels: unknown) => (labels as { name: string; value: string }[]).map((l) => [l.name, l.value]);
    return list.map((one) => ({
      labels: pairs(one['labels']) as [string, string][],
      samples: (one['samples'] as Message[]).map((s) => ({ ...s, startTimestamp: 0 })),
      histograms: one['histograms'] as Message[],
      exemplars: (one['exemplars'] as Message[]).map((e) => ({ ...e, labels: pairs(e['labels']) })) as never,
      type: 0,
      unit: '',
    }));
  }
  const symbols = message['symbols'] as string[];
  const pairs = (refs: unknown) => {
    const texts = (refs as number[]).map((ref) => symbols[ref] ?? '');
    return texts.flatMap((text, i): [string, string][] => (i % 2 === 0 ? [[text, texts[i + 1] ?? '']] : []));
  };
  return list.map((one) => {
    const metadata = (one['metadata'] ?? { type: 0, unitRef: 0 }) as { type: number; unitRef: number };
    const started = (points: unknown) =>
      (points as Message[]).map((p) => ({
        ...p,
        startTimestamp: p['startTimestamp'] || one['createdTimestamp'],
      }));
    return {
      labels: pairs(one['labelsRefs']),
      samples: started(one['samples']),
      histograms: started(one['histograms']),
      exemplars: (one['exemplars'] as Message[]).map((e) => ({ ...e, labels: pairs(e['labelsRefs']) })) as never,
      type: metadata.type,
      unit: metadata.unitRef === 0 ? '' : (symbols[metadata.unitRef] ?? ''),
    };
  });
}

const num = (message: Message, name: string): number => Number(message[name] ?? 0);

function labelFault(version: RemoteWriteVersion, labels: readonly [string, string][]): string | null {
  const names = labels.map(([name]) => name);
  const faults: string[] = [];
  // What is found first in the order of names is told; the test compares sums of label faults, not which.
  if (new Set(names).size < names.length) faults.push('labels');
  if (names.includes('')) faults.push('labels');
  const metric = labels.find(([name]) => name === '__name__')?.[1] ?? '';
  if (metric === '') faults.push('labels');
  if (version === '1.0') {
    if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(metric)) faults.push('labels');
    if (names.some((name) => !/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name))) faults.push('labels');
  }
  return faults[0] ?? null;
}

const timeFault = (timeMs: number): string | null =>
  timeMs > testBounds.newestMs ? 'too_far_ahead' : timeMs < testBounds.oldestMs ? 'too_old' : null;

const startOf = (point: Message): number => {
  const start = num(point, 'startTimestamp');
  return start > 0 && start <= num(point, 'timestamp') ? start : 0;
};

/** Prometheus' buckets by index: `[index, count]` of the filled ones. */
function buckets(histogram: Message, side: 'negative' | 'positive', isFloat: boolean): [number, number][] {
  const spans = histogram[`${side}Spans`] as { offset: number; length: number }[];
  const counts = [...(histogram[`${side}${isFloat ? 'Counts' : 'Deltas'}`] as number[])];
  const filled: [number, number][] = [];
  let index = 0;
  let count = 0;
  for (const span of spans) {
    index += span.offset;
    for (let i = 0; i < span.length; i++) {
      count = isFloat ? (counts.shift() ?? 0) : count + (counts.shift() ?? 0);
      if (count !== 0) filled.push([index, count]);
      index++;
    }
  }
  return filled;
}

function histogramPoint(histogram: Message): Expected | string {
  const schema = num(histogram, 'schema');
  if (schema !== -53 && (schema < -4 || schema > 8)) return 'histogram_schema';
  const isFloat = histogram['count'] === 'countFloat';
  const count = isFloat ? num(histogram, 'countFloat') : num(histogram, 'countInt');
  if (!Number.isInteger(count)) return 'fractional_count';
  const zero =
    histogram['zeroCount'] === 'zeroCountFloat' ? num(histogram, 'zeroCountFloat') : num(histogram, 'zeroCountInt');
  const negative = buckets(histogram, 'negative', isFloat);
  const positive = buckets(histogram, 'positive', isFloat);
  const inBuckets = [...negative, ...positive].reduce((sum, [, n]) => sum + n, zero);
  const sum = num(histogram, 'sum');
  if (!isFloat && (Number.isNaN(sum) ? inBuckets > count : inBuckets !== count)) return 'histogram_invalid';
  const start = startOf(histogram);
  const head = {
    timeMs: num(histogram, 'timestamp'),
    startMs: start === 0 && histogram['resetHint'] === 1 ? num(histogram, 'timestamp') - 1 : start,
    count,
    sum,
  };
  if (schema !== -53) {
    return {
      ...head,
      kind: 'exponentialHistogram',
      schema,
      zero,
      threshold: num(histogram, 'zeroThreshold'),
      negative,
      positive,
    };
  }
  const bounds = histogram['customValues'] as number[];
  if (lastIndex(histogram) > bounds.length) return 'histogram_invalid';
  return { ...head, kind: 'histogram', bounds, positive };
}

function lastIndex(histogram: Message): number {
  let index = 0;
  let last = 0;
  for (const { offset, length } of histogram['positiveSpans'] as { offset: number; length: number }[]) {
    index += offset + length;
    if (length > 0) last = index - 1;
  }
  return last;
}

const counters = ['_total', '_count', '_sum'];
function isCounter(metric: string, hasBound: boolean, type: number): boolean {
  if (type === 1) return true;
  if ([2, 4, 6, 7].includes(type)) return false;
  return metric.endsWith('_bucket') ? hasBound : counters.some((suffix) => metric.endsWith(suffix));
}

function unitOf(metric: string, hasBound: boolean, unit: string): string {
  if (metric.endsWith('_count') || (metric.endsWith('_bucket') && hasBound)) return '';
  const named = { q_seconds_sum: 's', x_bytes: 'By' }[metric];
  return named ?? { '': '', seconds: 's', parsecs: 'parsecs' }[unit] ?? '?';
}

/** Reads a message by its schema and says in plain steps what must come out. */
export function expectedTranslation(version: RemoteWriteVersion, bytes: Uint8Array): ExpectedTranslation {
  const rejected: Record<string, number> = {};
  const reject = (reason: string, count = 1) => {
    rejected[reason] = (rejected[reason] ?? 0) + count;
  };
  const written = { samples: 0, histograms: 0, exemplars: 0 };
  interface Known {
    metric: string;
    labels: [string, string][];
    type: number;
    unit: string;
    isGauge: boolean;
    samples: Map<number, Expected>;
    histograms: Map<number, Expected>;
    exemplars: Expected[];
  }
  const known = new Map<string, Known>();
  for (const one of plainSeries(version, bytes)) {
    const elements = one.samples.length + one.histograms.length + one.exemplars.length;
    if (labelFault(version, one.labels) !== null) {
      reject('labels', Math.max(1, elements));
      continue;
    }
    if (elements === 0) {
      if (version === '2.0') reject('no_samples');
      continue;
    }
    const label = (name: string) => one.labels.find((pair) => pair[0] === name)?.[1] ?? '';
    const type = one.type || ({ gauge: 2, counter: 1 }[label('__type__')] ?? 0);
    const unit = one.unit || label('__unit__');
    const labels = one.labels
      .filter(([name, value]) => name !== '__name__' && name !== '__unit__' && value !== '')
      .filter(([name, value]) => name !== '__type__' || value === 'nope')
      .sort(([a], [b]) => (a < b ? -1 : 1));
    const metric = one.labels.find(([name]) => name === '__name__')?.[1] ?? '';
    const key = JSON.stringify([metric, labels]);
    const series: Known = known.get(key) ?? {
      metric,
      labels,
      type: 0,
      unit: '',
      isGauge: type === 4,
      samples: new Map(),
      histograms: new Map(),
      exemplars: [],
    };
    known.set(key, series);
    series.type ||= type;
    series.unit ||= unit;
    for (const sample of one.samples) {
      const timeMs = num(sample, 'timestamp');
      const fault = timeFault(timeMs);
      const before = series.samples.get(timeMs);
      if (fault !== null) reject(fault);
      else if (before !== undefined && !Object.is(before['value'], sample['value'])) reject('duplicate_timestamp');
      else {
        written.samples++;
        if (before === undefined)
          series.samples.set(timeMs, { timeMs, startMs: startOf(sample), value: sample['value'] });
      }
    }
    for (const histogram of one.histograms) {
      const fault = timeFault(num(histogram, 'timestamp'));
      const point = fault ?? histogramPoint(histogram);
      if (typeof point === 'string') {
        reject(point);
        continue;
      }
      const timeMs = num(histogram, 'timestamp');
      const before = series.histograms.get(timeMs);
      if (before !== undefined && !equal({ ...before, startMs: 0 }, { ...point, startMs: 0 }))
        reject('duplicate_timestamp');
      else {
        written.histograms++;
        if (before === undefined) {
          series.histograms.set(timeMs, point);
          if (histogram['resetHint'] === 3) series.isGauge = true;
        }
      }
    }
    for (const exemplar of one.exemplars) {
      const names = exemplar.labels.map(([name]) => name);
      const fault = timeFault(Number(exemplar.timestamp));
      if (fault !== null) reject(fault);
      else if (names.includes('') || new Set(names).size < names.length) reject('exemplar_invalid');
      else series.exemplars.push(exemplarOf(exemplar));
    }
  }
  const points: Expected[] = [];
  for (const series of known.values()) {
    const { metric, labels, exemplars } = series;
    const hasBound = labels.some(([name]) => name === 'le');
    const unit = unitOf(metric, hasBound, series.unit);
    const samples = [...series.samples.values()].map((sample) => ({
      ...sample,
      kind: isCounter(metric, hasBound, series.type) ? 'counter' : 'gauge',
    }));
    const histograms = [...series.histograms.values()].map((point) => ({ ...point, isGauge: series.isGauge }));
    const carrier = samples.at(-1) ?? histograms.at(-1);
    if (carrier === undefined) {
      if (exemplars.length > 0) reject('exemplar_without_point', exemplars.length);
    } else written.exemplars += exemplars.length;
    for (const point of [...samples, ...histograms]) {
      points.push({ ...point, metric, labels, unit, exemplars: point === carrier ? exemplars : [] });
    }
  }
  return { points, written, rejected };
}

function exemplarOf(exemplar: { labels: [string, string][]; value: number; timestamp: number }): Expected {
  const isId = ([name, value]: [string, string]) =>
    (name === 'trace_id' && value.length === 32) || (name === 'span_id' && value.length === 16);
  const id = (name: string) => exemplar.labels.find((label) => label[0] === name && isId(label))?.[1] ?? '';
  return {
    timeMs: Number(exemplar.timestamp),
    value: exemplar.value,
    traceId: id('trace_id'),
    spanId: id('span_id'),
    labels: exemplar.labels.filter((label) => !isId(label)),
  };
}

/** Equal by text, NaN and -0 told apart from others. */
export const asText = (value: unknown): string =>
  JSON.stringify(value, (_key, one) =>
    typeof one === 'number' && (!Number.isFinite(one) || Object.is(one, -0))
      ? `#${Object.is(one, -0) ? '-0' : one}`
      : one,
  );
const equal = (a: unknown, b: unknown): boolean => asText(a) === asText(b);
