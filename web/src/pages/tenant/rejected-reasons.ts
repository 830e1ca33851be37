import type { RejectedCount } from 'streams/contract';

/** What a reason means and what the sender can do, in words for people. */
export interface ReasonText {
  readonly what: string;
  readonly todo: string;
}

const texts: Readonly<Record<string, ReasonText>> = {
  series_limit: {
    what: 'More active series than allowed',
    todo: 'Look for an attribute with ever new values, such as an id, and drop it at the source; or ask for a higher limit.',
  },
  new_series_rate: {
    what: 'New series came too fast',
    todo: 'Roll large changes out in steps; look for an attribute that changes with every restart.',
  },
  too_many_attributes: {
    what: 'Too many attributes on a record',
    todo: 'Send fewer attributes; put details into the body of a log record.',
  },
  attribute_too_long: {
    what: 'Name or value of an attribute too long',
    todo: 'Shorten it at the source; long text belongs into the body of a log record.',
  },
  too_old: { what: 'Older than what is kept', todo: 'Check the clock of the sender and how long it buffers.' },
  too_far_ahead: { what: 'More than a day in the future', todo: 'Check the clock of the sender.' },
  no_time: { what: 'No time on the record', todo: 'Set the time of each record at the source.' },
  unnamed_metric: { what: 'Metric without a name', todo: 'Give the metric a name at the source.' },
  invalid_ids: {
    what: 'Span without valid ids',
    todo: 'Send a trace id of 16 bytes and a span id of 8 bytes, neither all zero.',
  },
  bucket_mismatch: {
    what: 'Histogram whose buckets do not fit its bounds',
    todo: 'Send one bucket more than bounds; update the library that builds the histogram.',
  },
  scale_out_of_range: {
    what: 'Exponential histogram with an impossible scale',
    todo: 'Send scales between −10 and 20, as the SDKs do; update the library that builds the histogram.',
  },
  'limits.points_per_second': {
    what: 'More records a second than allowed',
    todo: 'Standard exporters send again by themselves; batch less often, or ask for a higher limit.',
  },
  'limits.bytes_per_second': {
    what: 'More bytes a second than allowed',
    todo: 'Standard exporters send again by themselves; send less detail, or ask for a higher limit.',
  },
  'limits.request_bytes': { what: 'Request too large', todo: 'Make the batches of the exporter smaller.' },
  'limits.concurrent_requests': {
    what: 'Too many requests at once',
    todo: 'Send through one collector with larger batches.',
  },
  'limits.bytes_in_flight': {
    what: 'Too many bytes at once',
    todo: 'Standard exporters send again by themselves; send smaller batches one after the other.',
  },
  'ingest.overloaded': {
    what: 'The platform was busy',
    todo: 'Nothing to do: standard exporters send again by themselves.',
  },
  'ingest.unavailable': {
    what: 'The platform could not take it at that time',
    todo: 'Nothing to do: standard exporters send again by themselves.',
  },
  'ingest.cut_off': {
    what: 'Request was not sent to its end',
    todo: 'Look at the time limit of the exporter and at proxies between; standard exporters send again.',
  },
  'ingest.receive_timeout': {
    what: 'Request arrived too slowly',
    todo: 'Look at the connection of the sender; make the batches of the exporter smaller.',
  },
  'ingest.content_length': {
    what: 'Body is not as long as declared',
    todo: 'Check proxies between; update the exporter.',
  },
  'ingest.tenant_mismatch': {
    what: 'A resource names another tenant',
    todo: 'Correct or remove dotmac.tenant.id in the resource.',
  },
  'ingest.too_large': { what: 'Request too large', todo: 'Make the batches of the exporter smaller.' },
  'ingest.media_type': {
    what: 'Content type is not OTLP',
    todo: 'Send application/x-protobuf or application/json.',
  },
  'ingest.encoding_unsupported': { what: 'Compression is not known', todo: 'Use gzip, zstd or none.' },
  'ingest.encoding_malformed': { what: 'Body is not what its compression says', todo: 'Check proxies between.' },
  'ingest.event_invalid': { what: 'Usage event is not valid', todo: 'Correct the field that is named.' },
  'ingest.event_too_old': {
    what: 'Usage event older than 32 days',
    todo: 'Send it with a key that has the scope backfill.',
  },
  'ingest.event_in_future': { what: 'Usage event in the future', todo: 'Check the clock of the sender.' },
  'ingest.event_negative': {
    what: 'Usage event with a value below zero',
    todo: 'Usage is corrected by an adjustment of the bill, not by an event.',
  },
  'ingest.records_refused': { what: 'No record could be taken', todo: 'Correct what the answer names.' },
  'ingest.time_out_of_range': {
    what: 'Every record outside the time that is kept',
    todo: 'Check the clock of the sender.',
  },
  'otlp.record_too_large': { what: 'A single record is too large', todo: 'Send less in one record.' },
  'remote_write.malformed': {
    what: 'Not valid Prometheus remote-write',
    todo: 'Update the sender; check proxies between.',
  },
  'remote_write.too_large': { what: 'Request too large', todo: 'Lower max_samples_per_send in queue_config.' },
  'remote_write.partial': {
    what: 'Some series of a request could not be taken',
    todo: 'The reasons are on lines of their own.',
  },
  duplicate_timestamp: {
    what: 'Two samples of a series at one time',
    todo: 'Give the series of each sender a label of its own, such as instance.',
  },
  duplicate_label: { what: 'Label twice on a series', todo: 'Correct the relabelling of the sender.' },
  invalid_name: {
    what: 'Name of a metric or label is not valid',
    todo: 'Correct the name at the source or in the relabelling.',
  },
  invalid_reference: { what: 'Series refers to a word that is not there', todo: 'Update the sender.' },
  no_samples: { what: 'Series without samples', todo: 'Update the sender.' },
  histogram_schema: {
    what: 'Histogram of a resolution that is not known',
    todo: 'Use a native histogram with a schema from -4 to 8, or with buckets of your own.',
  },
  histogram_invalid: { what: 'Histogram that contradicts itself', todo: 'Update the library that builds it.' },
  fractional_count: {
    what: 'Histogram with counts that are not whole',
    todo: 'Send the histogram as it was measured, not a rate or an average of it.',
  },
  bucket_range: {
    what: 'Histogram with too many buckets, or beyond the range',
    todo: 'Lower the resolution of the histogram.',
  },
  exemplar_invalid: { what: 'Exemplar with empty or repeated labels', todo: 'Correct the labels at the source.' },
  exemplar_without_point: {
    what: 'Exemplar without a sample to stand at',
    todo: 'Send exemplars together with the samples of their series.',
  },
  'otlp.malformed': { what: 'Not valid OTLP protobuf', todo: 'Update the exporter; check proxies between.' },
  'otlp.malformed_json': { what: 'Not valid OTLP/JSON', todo: 'Correct the field that is named.' },
  'log.unavailable': {
    what: 'The platform could not store at that time',
    todo: 'Nothing to do: standard exporters send again by themselves.',
  },
};

/** Words for a reason; one that is not known here shows its code. */
export function reasonText(reason: string): ReasonText {
  return texts[reason] ?? { what: reason, todo: 'The code is explained in the documentation of the interface.' };
}

/** Reasons that refuse a whole request count requests, all others count records. */
export const countsRequests = (reason: string): boolean => reason.includes('.');

export interface ReasonRow {
  readonly reason: string;
  readonly signal: string;
  readonly records: number;
  readonly lastAt: string;
  readonly detail: string;
}

/** Adds the hours up by signal and reason, the most first. */
export function byReason(counts: readonly RejectedCount[]): ReasonRow[] {
  const rows = new Map<string, ReasonRow>();
  for (const { reason, signal, records, lastAt, detail } of counts) {
    const key = `${signal}|${reason}`;
    const known = rows.get(key);
    const newest = known === undefined || lastAt > known.lastAt ? { lastAt, detail } : known;
    rows.set(key, {
      reason,
      signal,
      records: (known?.records ?? 0) + records,
      lastAt: newest.lastAt,
      detail: newest.detail,
    });
  }
  return [...rows.values()].toSorted((a, b) => b.records - a.records || a.reason.localeCompare(b.reason));
}

/** One line a reason over the hours, hours without a count as zero: nothing refused is known, not unmeasured. *Shape* seven reasons and "others". */
export function linesByReason(
  counts: readonly RejectedCount[],
  from: number,
  to: number,
): { label: string; points: [number, number][] }[] {
  const totals = new Map<string, number>();
  for (const { reason, records } of counts) totals.set(reason, (totals.get(reason) ?? 0) + records);
  const ranked = [...totals].toSorted(([, a], [, b]) => b - a).map(([reason]) => reason);
  const named = ranked.length > 8 ? ranked.slice(0, 7) : ranked;
  const labelOf = (reason: string) => (named.includes(reason) ? reasonText(reason).what : 'others');
  const labels = [...new Set(ranked.map(labelOf))];
  const hourMs = 3_600_000;
  const firstHour = Math.ceil(from / hourMs) * hourMs;
  return labels.map((label) => {
    const sums = new Map<number, number>();
    for (let hour = firstHour; hour < to; hour += hourMs) sums.set(hour, 0);
    for (const count of counts) {
      const hour = Date.parse(count.hour);
      if (labelOf(count.reason) === label) sums.set(hour, (sums.get(hour) ?? 0) + count.records);
    }
    return { label, points: [...sums].toSorted(([a], [b]) => a - b) };
  });
}
