import { metricTypes } from './port.ts';

/** What a series of plain samples is in OTLP. `counter` is a cumulative monotonic sum. */
export type SampleKind = 'gauge' | 'counter';

const countingSuffixes = ['_total', '_count', '_sum'] as const;

/**
 * The kind of a series of samples, from the series alone: a kind is part of a series' identity, so it may not depend on what the server happens to remember.
 *
 * *Shape* a metadata type (2.0) decides for plain counters and gauges; components of histograms and summaries, and series without a type, go by the naming rules:
 * `_total`, `_count`, `_sum`, and `_bucket` with a label `le`, are counters, everything else is a gauge.
 * *Bias* a gauge called `…_count` that comes without a type is taken for a counter, and its falls for resets.
 * *Source* Prometheus, "Metric and label naming"; OpenMetrics, "Suffixes".
 */
export function sampleKind(metric: string, hasBound: boolean, type: number): SampleKind {
  if (type === metricTypes.counter) return 'counter';
  if (type !== metricTypes.unknown && type !== metricTypes.histogram && type !== metricTypes.summary) {
    // Buckets of a gauge histogram rise and fall; a type that does not exist yet counts as none.
    if (type <= metricTypes.stateSet) return 'gauge';
  }
  if (metric.endsWith('_bucket')) return hasBound ? 'counter' : 'gauge';
  return countingSuffixes.some((suffix) => metric.endsWith(suffix)) ? 'counter' : 'gauge';
}

/** Prometheus' base units, as words of names and of metadata, in UCUM. *Source* Prometheus, "Base units"; OpenTelemetry, "Prometheus compatibility". */
const units = new Map([
  ['seconds', 's'],
  ['milliseconds', 'ms'],
  ['microseconds', 'us'],
  ['nanoseconds', 'ns'],
  ['minutes', 'min'],
  ['hours', 'h'],
  ['days', 'd'],
  ['bytes', 'By'],
  ['ratio', '1'],
  ['percent', '%'],
  ['celsius', 'Cel'],
  ['meters', 'm'],
  ['volts', 'V'],
  ['amperes', 'A'],
  ['joules', 'J'],
  ['watts', 'W'],
  ['grams', 'g'],
  ['hertz', 'Hz'],
]);

/**
 * The unit of a series: the word that its name ends with, before `_total` and `_sum`; else the unit of its metadata. The name goes first because metadata comes and goes, and OpenMetrics has the unit in the name anyway.
 * Counts of observations have none.
 */
export function unitOf(metric: string, hasBound: boolean, metadataUnit: string): string {
  if (metric.endsWith('_count') || (hasBound && metric.endsWith('_bucket'))) return '';
  if (metric.endsWith('_created')) return 's';
  const base = metric.endsWith('_total') ? metric.slice(0, -6) : metric.endsWith('_sum') ? metric.slice(0, -4) : metric;
  const word = units.get(base.slice(base.lastIndexOf('_') + 1));
  return word ?? units.get(metadataUnit) ?? metadataUnit;
}
