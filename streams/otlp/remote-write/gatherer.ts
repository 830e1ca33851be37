import type { TimeBounds } from '../port.ts';
import { refusalOfTime } from '../time-bounds.ts';
import { type CheckedLabels, checkLabels, describeSeries, labelValue } from './labels.ts';
import type { ReadBudget } from './metered-reader.ts';
import { type HistogramPoint, toHistogramPoint } from './native-histogram.ts';
import {
  metricTypes,
  type RemoteExemplar,
  type RemoteHistogram,
  type RemoteSample,
  type RemoteSeries,
  type RemoteWriteReason,
  type RemoteWriteVersion,
} from './port.ts';

const detailsMax = 10;
const hintGauge = 3;

/** Everything a message says of one label set, after the checks. */
export interface GatheredSeries {
  readonly metric: string;
  readonly labels: readonly string[];
  readonly key: string;
  readonly hasBound: boolean;
  type: number;
  unit: string;
  help: string;
  readonly samples: RemoteSample[];
  readonly histograms: HistogramPoint[];
  /** Samples and histograms by time, made when a second one comes. */
  samplesByTime: Map<number, RemoteSample> | null;
  histogramsByTime: Map<number, HistogramPoint> | null;
  /** Histograms of this series do not accumulate. */
  isGaugeHistogram: boolean;
  readonly exemplars: RemoteExemplar[];
}

/**
 * Takes the series of one message, checks them and joins those with equal labels.
 *
 * *Errors* `remote_write.too_large` (413) when what the message stands for would pass `maxBytes`.
 */
export class Gatherer {
  readonly series = new Map<string, GatheredSeries>();
  readonly tenantIds = new Set<string>();
  readonly rejected = new Map<RemoteWriteReason, number>();
  readonly details: string[] = [];
  readonly sent = { samples: 0, histograms: 0, exemplars: 0 };
  readonly written = { samples: 0, histograms: 0, exemplars: 0 };
  readonly #version: RemoteWriteVersion;
  readonly #bounds: TimeBounds;
  readonly #budget: ReadBudget;

  constructor(version: RemoteWriteVersion, bounds: TimeBounds, budget: ReadBudget) {
    this.#version = version;
    this.#bounds = bounds;
    this.#budget = budget;
  }

  add(sent: RemoteSeries): void {
    const { samples, histograms, exemplars } = sent;
    this.sent.samples += samples.length;
    this.sent.histograms += histograms.length;
    this.sent.exemplars += exemplars.length;
    const elements = samples.length + histograms.length + exemplars.length;
    const { labels } = sent;
    if (labels === null) {
      this.reject('invalid_reference', Math.max(1, elements), null, 'a reference points outside the symbols');
      return;
    }
    this.#budget.take(textLength(labels) * Math.max(1, samples.length + histograms.length));
    const checked = checkLabels(labels, this.#version);
    if ('reason' in checked) {
      this.reject(checked.reason, Math.max(1, elements), labels, checked.why);
      return;
    }
    if (elements === 0) {
      if (this.#version === '2.0') this.reject('no_samples', 1, labels, 'it has neither samples nor histograms');
      return;
    }
    const series = this.#seriesOf(checked, sent);
    for (const sample of samples) this.#sample(sample, series, labels);
    for (const histogram of histograms) this.#histogram(histogram, series, labels);
    for (const exemplar of exemplars) this.#exemplar(exemplar, series, labels);
  }

  /** Counts elements that are not stored; the first ones are told in words. */
  reject(reason: RemoteWriteReason, elements: number, labels: readonly string[] | null, why: string): void {
    this.rejected.set(reason, (this.rejected.get(reason) ?? 0) + elements);
    if (this.details.length < detailsMax) this.details.push(`${reason} ${describeSeries(labels)}: ${why}`);
  }

  #seriesOf(checked: CheckedLabels, sent: RemoteSeries): GatheredSeries {
    const type = sent.type || checked.type;
    const unit = sent.unit || checked.unit;
    const known = this.series.get(checked.key);
    if (known !== undefined) {
      known.type ||= type;
      known.unit ||= unit;
      return known;
    }
    for (const name of ['dotmac_tenant_id', 'dotmac.tenant.id']) {
      const tenant = labelValue(checked.labels, name);
      if (tenant !== undefined) this.tenantIds.add(tenant);
    }
    this.#budget.take(sent.help.length + unit.length);
    const series: GatheredSeries = {
      ...checked,
      hasBound: labelValue(checked.labels, 'le') !== undefined,
      type,
      unit,
      help: sent.help,
      samples: [],
      histograms: [],
      samplesByTime: null,
      histogramsByTime: null,
      isGaugeHistogram: type === metricTypes.gaugeHistogram,
      exemplars: [],
    };
    this.series.set(checked.key, series);
    return series;
  }

  /** Takes one sample; an equal one again changes nothing, another value at the same time is refused. */
  #sample(sample: RemoteSample, series: GatheredSeries, labels: readonly string[]): void {
    if (!this.#isInTime(sample.timeMs, labels)) return;
    if (series.samples.length > 0) series.samplesByTime ??= byTime(series.samples);
    const other = series.samplesByTime?.get(sample.timeMs);
    if (other === undefined) {
      const startMs = startOf(sample);
      const kept = startMs === sample.startMs ? sample : { ...sample, startMs };
      series.samplesByTime?.set(sample.timeMs, kept);
      series.samples.push(kept);
    } else if (other.isStale !== sample.isStale || (!sample.isStale && !Object.is(other.value, sample.value))) {
      const why = `another value at ${sample.timeMs} stands before`;
      this.reject('duplicate_timestamp', 1, labels, why);
      return;
    }
    this.written.samples++;
  }

  #histogram(sent: RemoteHistogram, series: GatheredSeries, labels: readonly string[]): void {
    if (!this.#isInTime(sent.timeMs, labels)) return;
    const point = toHistogramPoint(sent, startOf(sent));
    if ('reason' in point) {
      this.reject(point.reason, 1, labels, point.why);
      return;
    }
    if (series.histograms.length > 0) series.histogramsByTime ??= byTime(series.histograms);
    const other = series.histogramsByTime?.get(point.timeMs);
    if (other === undefined) {
      this.#budget.take(sizeOf(point));
      series.histogramsByTime?.set(point.timeMs, point);
      series.histograms.push(point);
      if (sent.resetHint === hintGauge) series.isGaugeHistogram = true;
    } else if (!isSameHistogram(other, point)) {
      this.reject('duplicate_timestamp', 1, labels, `another histogram at ${sent.timeMs} stands before`);
      return;
    }
    this.written.histograms++;
  }

  #exemplar(exemplar: RemoteExemplar, series: GatheredSeries, labels: readonly string[]): void {
    if (!this.#isInTime(exemplar.timeMs, labels)) return;
    if (exemplar.isBroken) {
      this.reject('invalid_reference', 1, labels, 'an exemplar refers outside the symbols');
      return;
    }
    const names = exemplar.labels.filter((_text, i) => i % 2 === 0);
    if (names.includes('') || new Set(names).size < names.length) {
      this.reject('exemplar_invalid', 1, labels, 'labels of an exemplar are empty or repeated');
      return;
    }
    this.#budget.take(textLength(exemplar.labels));
    series.exemplars.push(exemplar);
  }

  #isInTime(timeMs: number, labels: readonly string[]): boolean {
    const refusal = refusalOfTime(timeMs, this.#bounds);
    if (refusal === null) return true;
    const reason = timeMs > this.#bounds.newestMs ? 'too_far_ahead' : 'too_old';
    this.reject(reason, 1, labels, `${timeMs} is outside ${this.#bounds.oldestMs}…${this.#bounds.newestMs} ms`);
    return false;
  }
}

/** Whether two histograms say the same, whatever their starts. */
const isSameHistogram = (a: HistogramPoint, b: HistogramPoint): boolean =>
  Object.is(a.sum, b.sum) &&
  JSON.stringify({ ...a, sum: 0, startMs: 0 }) === JSON.stringify({ ...b, sum: 0, startMs: 0 });

const byTime = <Point extends { readonly timeMs: number }>(points: readonly Point[]): Map<number, Point> =>
  new Map(points.map((point) => [point.timeMs, point]));

/** A start is known when it was sent and lies before the point. */
const startOf = ({ startMs, timeMs }: { readonly startMs: number; readonly timeMs: number }): number =>
  startMs > 0 && startMs <= timeMs ? startMs : 0;

/** Upper bound of the characters, with room for tags and lengths. */
function textLength(texts: readonly string[]): number {
  let length = 0;
  for (const text of texts) length += text.length + 4;
  return length;
}

/** Bytes of the buckets in the translation, about. */
function sizeOf(point: HistogramPoint): number {
  if (point.kind === 'explicit') return point.counts.length * 16;
  return (point.positive.counts.length + point.negative.counts.length) * 2 + 32;
}
