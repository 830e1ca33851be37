import { AppError } from '../../contract/index.ts';
import { type GatheredSeries, Gatherer } from './gatherer.ts';
import { sampleKind, unitOf } from './kinds.ts';
import { ReadBudget } from './metered-reader.ts';
import { type MetricGroup, type SeriesPoints, writeMetrics } from './metrics-writer.ts';
import type { HistogramPoint } from './native-histogram.ts';
import type { EarlierBody, RemoteExemplar, RemoteSample, RemoteWriteOptions, RemoteWriteTranslation } from './port.ts';
import { readWriteRequest } from './write-request.ts';
import { readWriteV2Request } from './write-v2-request.ts';

/**
 * Translates a remote-write message (decompressed) to OTLP, so that the log carries one encoding. Invalid elements are left out and counted; the rest goes on.
 *
 * *Errors* `remote_write.malformed` (400) with the byte offset, `remote_write.too_large` (413); neither retryable.
 * *Source* Prometheus Remote-Write 1.0 and 2.0-rc.4.
 */
export function translateRemoteWrite(bytes: Uint8Array, options: RemoteWriteOptions): RemoteWriteTranslation {
  const gathered = gather({ version: options.version, bytes }, options);
  const groups = new Map<string, MetricGroup>();
  let repeated = 0;
  const earlier = new EarlierSeries(options);
  for (const series of gathered.series.values()) {
    const { exemplars } = series;
    if (series.samples.length + series.histograms.length > 0) {
      group(groups, series, exemplars);
      gathered.written.exemplars += exemplars.length;
    } else if (exemplars.length > 0) {
      const carrier = earlier.lastPoint(series.key);
      if (carrier === null) {
        const why = 'no point of the series to attach it to';
        const labels = ['__name__', series.metric, ...series.labels];
        gathered.reject('exemplar_without_point', exemplars.length, labels, why);
      } else {
        group(groups, carrier, exemplars);
        gathered.written.exemplars += exemplars.length;
        repeated++;
      }
    }
  }
  return {
    payload: groups.size === 0 ? new Uint8Array(0) : writeMetrics(groups.values()),
    sent: gathered.sent,
    written: gathered.written,
    rejected: gathered.rejected,
    repeated,
    details: gathered.details,
    tenantIds: [...gathered.tenantIds],
  };
}

function gather(body: EarlierBody, options: RemoteWriteOptions): Gatherer {
  const budget = new ReadBudget(options.maxBytes);
  const gatherer = new Gatherer(body.version, options.bounds, budget);
  const read = body.version === '1.0' ? readWriteRequest : readWriteV2Request;
  try {
    read(body.bytes, budget, (series) => gatherer.add(series));
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'otlp.malformed') throw error;
    const name = body.version === '1.0' ? 'prometheus.WriteRequest' : 'io.prometheus.write.v2.Request';
    const reason = error.message.slice(error.message.indexOf(': ') + 2);
    const offset = error.context?.['offset'];
    throw new AppError('remote_write.malformed', `the body is not a ${name}: byte ${offset}: ${reason}`, {
      status: 400,
      cause: error,
      context: { offset },
    });
  }
  return gatherer;
}

/** The series of earlier bodies, each read when the newer ones did not have what was asked for. */
class EarlierSeries {
  readonly #options: RemoteWriteOptions;
  readonly #read: Gatherer[] = [];

  constructor(options: RemoteWriteOptions) {
    this.#options = options;
  }

  /** The series with its newest point alone, or null. */
  lastPoint(key: string): GatheredSeries | null {
    for (const [i, body] of (this.#options.earlier ?? []).entries()) {
      const gathered = this.#read[i] ?? gather(body, this.#options);
      this.#read[i] = gathered;
      const series = gathered.series.get(key);
      if (series === undefined) continue;
      const { samples, histograms } = series;
      if (samples.length > 0) return { ...series, samples: samples.slice(-1), histograms: [] };
      if (histograms.length > 0) return { ...series, histograms: histograms.slice(-1) };
    }
    return null;
  }
}

const separator = '\ud800';

/** Puts the points of a series into their metrics; exemplars ride on the last sample, or else on the last histogram. */
function group(groups: Map<string, MetricGroup>, series: GatheredSeries, exemplars: readonly RemoteExemplar[]): void {
  const { metric, labels, hasBound, samples, help } = series;
  const unit = unitOf(metric, hasBound, series.unit);
  const head = { name: metric, unit, help };
  if (samples.length > 0) {
    const kind = sampleKind(metric, hasBound, series.type);
    const key = [metric, unit, kind].join(separator);
    const found = groups.get(key);
    const points: SeriesPoints<RemoteSample> = { labels, points: samples, exemplars };
    if (found === undefined) groups.set(key, { ...head, kind, series: [points] });
    else if (found.kind === 'gauge' || found.kind === 'counter') found.series.push(points);
  }
  for (const kind of ['explicit', 'exponential'] as const) {
    const points = series.histograms.filter((point) => point.kind === kind);
    if (points.length === 0) continue;
    const isLast = samples.length === 0 && series.histograms.at(-1)?.kind === kind;
    const isCumulative = !series.isGaugeHistogram;
    const key = [metric, unit, kind, isCumulative].join(separator);
    const found = groups.get(key);
    const one: SeriesPoints<HistogramPoint> = { labels, points, exemplars: isLast ? exemplars : [] };
    if (found === undefined) groups.set(key, { ...head, kind, isCumulative, series: [one] });
    else if (found.kind === 'explicit' || found.kind === 'exponential') found.series.push(one);
  }
}
