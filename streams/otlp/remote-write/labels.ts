import { metricTypes, type RemoteWriteReason, type RemoteWriteVersion } from './port.ts';

/** A series' labels as they are stored: without `__name__`, sorted by name in UTF-16 code units, no empty value. *Shape* name, value, name, value … */
export interface CheckedLabels {
  readonly metric: string;
  readonly labels: readonly string[];
  /** From `__type__` and `__unit__`, which are no attributes then; 0 and empty when not sent. */
  readonly type: number;
  readonly unit: string;
  /** Equal exactly for equal series. */
  readonly key: string;
}

export interface LabelFault {
  readonly reason: RemoteWriteReason;
  readonly why: string;
}

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const labelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** Values of the label `__type__`. *Source* Prometheus, "Type and unit labels" (feature flag type-and-unit-labels). */
const typeLabels = new Map<string, number>(
  Object.entries(metricTypes).map(([name, number]) => [name.toLowerCase(), number]),
);
/** A half surrogate: no decoded UTF-8 has one, so it keeps the parts of a key apart. */
const separator = '\ud800';

/**
 * Checks the labels of a series.
 *
 * *Bias* tolerant where nothing is lost (order, empty values), strict where two readers could disagree (repeated names).
 * *Source* remote-write 1.0 "Labels" and 2.0 "Series Labels": names are `[a-zA-Z_][a-zA-Z0-9_]*` in 1.0 and any UTF-8 in 2.0.
 */
export function checkLabels(sent: readonly string[], version: RemoteWriteVersion): CheckedLabels | LabelFault {
  const sorted = isSorted(sent) ? sent : sortPairs(sent);
  const labels: string[] = [];
  let metric = '';
  let type = 0;
  let unit = '';
  for (let i = 0; i < sorted.length; i += 2) {
    const name = sorted[i] ?? '';
    const value = sorted[i + 1] ?? '';
    if (i > 0 && sorted[i - 2] === name) {
      return { reason: 'duplicate_label', why: `label ${quote(name)} stands twice` };
    }
    if (name === '') return { reason: 'invalid_name', why: 'a label has an empty name' };
    if (name === '__name__') {
      metric = value;
      continue;
    }
    const named = name === '__type__' ? typeLabels.get(value) : undefined;
    if (named !== undefined || name === '__unit__') {
      type = named ?? type;
      if (name === '__unit__') unit = value;
      continue;
    }
    if (version === '1.0' && !labelName.test(name)) {
      return { reason: 'invalid_name', why: `label name ${quote(name)} does not match ${labelName.source}` };
    }
    if (value !== '') labels.push(name, value);
  }
  if (metric === '') return { reason: 'unnamed_metric', why: 'there is no label __name__' };
  if (version === '1.0' && !metricName.test(metric)) {
    return { reason: 'invalid_name', why: `metric name ${quote(metric)} does not match ${metricName.source}` };
  }
  return { metric, labels, type, unit, key: metric + separator + labels.join(separator) };
}

/** Strictly rising names; equal ones are found among sorted ones. */
function isSorted(sent: readonly string[]): boolean {
  for (let i = 2; i < sent.length; i += 2) if ((sent[i - 2] ?? '') > (sent[i] ?? '')) return false;
  return true;
}

function sortPairs(sent: readonly string[]): string[] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < sent.length; i += 2) pairs.push([sent[i] ?? '', sent[i + 1] ?? '']);
  return pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).flat();
}

export function labelValue(labels: readonly string[], name: string): string | undefined {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === name) return labels[i + 1];
  return undefined;
}

const shownCharacters = 200;
const quote = (text: string): string => JSON.stringify(shorten(text));
const shorten = (text: string): string =>
  text.length <= shownCharacters ? text : `${text.slice(0, shownCharacters)}…`;

/** A series for people: `{__name__="up", job="node"}`, cut after 200 characters. */
export function describeSeries(sent: readonly string[] | null): string {
  if (sent === null) return '{a reference points outside the symbols}';
  let text = '';
  for (let i = 0; i < sent.length && text.length <= shownCharacters; i += 2) {
    text += `${i === 0 ? '' : ', '}${shorten(sent[i] ?? '')}=${quote(sent[i + 1] ?? '')}`;
  }
  return `{${shorten(text)}}`;
}
