import type { TimeBounds } from '../port.ts';
import type { Message } from './messages.ts';

/** What a request means, worked out from the oracle's plain objects with bigint and no shared code. Tests only. */
export type ExpectedPoint = Record<string, unknown>;
interface Expected {
  readonly accepted: ExpectedPoint[];
  readonly rejected: Record<string, number>;
}

const list = (message: Message | undefined, name: string): Message[] =>
  (message?.[name] as Message[] | undefined) ?? [];
const child = (message: Message | undefined, name: string): Message | undefined =>
  message?.[name] as Message | undefined;
const str = (message: Message | undefined, name: string): string => (message?.[name] as string | undefined) ?? '';
const num = (message: Message | undefined, name: string, none: number): number =>
  (message?.[name] as number | undefined) ?? none;
const nanos = (message: Message, name: string): bigint => BigInt(str(message, name) || '0');
const millis = (message: Message, name: string): number => Number(nanos(message, name) / 1_000_000n);

export function attributesOf(list: readonly Message[]): Record<string, string> {
  return Object.fromEntries(list.map((item) => [str(item, 'key'), valueText(child(item, 'value'))]));
}

function valueText(value: Message | undefined): string {
  switch (value?.['value']) {
    case 'stringValue':
      return str(value, 'stringValue');
    case 'bytesValue':
      return (value['bytesValue'] as Buffer).toString('base64');
    case 'arrayValue':
    case 'kvlistValue':
      return jsonText(value);
    case undefined:
      return '';
    default:
      return String(value?.[value['value'] as string]);
  }
}

function jsonText(value: Message | undefined): string {
  const kind = value?.['value'];
  if (value === undefined || kind === undefined) return 'null';
  if (kind === 'arrayValue') return `[${list(child(value, 'arrayValue'), 'values').map(jsonText).join(',')}]`;
  if (kind === 'kvlistValue') {
    const entries = new Map(
      list(child(value, 'kvlistValue'), 'values').map((kv) => [str(kv, 'key'), jsonText(child(kv, 'value'))]),
    );
    return `{${[...entries].map(([key, item]) => `${JSON.stringify(key)}:${item}`).join(',')}}`;
  }
  const plain = valueText(value);
  const isNumber = kind === 'intValue' || (kind === 'doubleValue' && Number.isFinite(value['doubleValue']));
  return isNumber || kind === 'boolValue' ? plain : JSON.stringify(plain);
}

function refusalOf(timeMs: number, bounds: TimeBounds): string | null {
  if (timeMs === 0) return 'no_time';
  if (timeMs < bounds.oldestMs) return 'too_old';
  return timeMs > bounds.newestMs ? 'too_far_ahead' : null;
}

class Judge {
  readonly accepted: ExpectedPoint[] = [];
  readonly rejected: Record<string, number> = {};

  take(refusal: string | null, row: () => ExpectedPoint): boolean {
    if (refusal === null) this.accepted.push(row());
    else this.rejected[refusal] = (this.rejected[refusal] ?? 0) + 1;
    return refusal === null;
  }
}

const dataKinds = {
  gauge: 'gauge',
  sum: 'sum',
  histogram: 'histogram',
  exponentialHistogram: 'exponential_histogram',
  summary: 'summary',
} as const;
type DataKind = keyof typeof dataKinds;

export function expectedPoints(request: Message, bounds: TimeBounds): Expected & { exemplars: ExpectedPoint[] } {
  const judge = new Judge();
  const exemplars: ExpectedPoint[] = [];
  for (const resource of list(request, 'resourceMetrics')) {
    for (const scope of list(resource, 'scopeMetrics')) {
      for (const metric of list(scope, 'metrics')) {
        const data = metric['data'] as DataKind | undefined;
        if (data === undefined) continue;
        const body = child(metric, data);
        for (const point of list(body, 'dataPoints')) {
          const explicitBounds = (point['explicitBounds'] as number[] | undefined) ?? [];
          const buckets = (point['bucketCounts'] as string[] | undefined) ?? [];
          let refusal = refusalOf(millis(point, 'timeUnixNano'), bounds);
          const fits =
            buckets.length === 0 ? explicitBounds.length === 0 : buckets.length === explicitBounds.length + 1;
          if (data === 'histogram' && !fits) refusal ??= 'bucket_mismatch';
          const scale = num(point, 'scale', 0);
          if (data === 'exponentialHistogram' && (scale < -128 || scale > 127)) refusal ??= 'scale_out_of_range';
          if (str(metric, 'name') === '') refusal = 'unnamed_metric';
          const temporality =
            data === 'gauge' || data === 'summary'
              ? ''
              : ['', 'delta', 'cumulative'][num(body, 'aggregationTemporality', 0)];
          const shared = {
            ...prefixed('scope.', attributesOf(list(child(scope, 'scope'), 'attributes'))),
            ...prefixed('resource.', attributesOf(list(child(resource, 'resource'), 'attributes'))),
          };
          const series = {
            metric: str(metric, 'name'),
            kind: dataKinds[data],
            temporality,
            monotonic: data === 'sum' && body?.['isMonotonic'] === true,
            unit: str(metric, 'unit'),
            scope: `${str(child(scope, 'scope'), 'name')}@${str(child(scope, 'scope'), 'version')}`,
            bounds: data === 'histogram' ? explicitBounds : [],
            attributes: { ...attributesOf(list(point, 'attributes')), ...shared },
          };
          const isTaken = judge.take(refusal, () => ({ series, ...pointRow(data, point) }));
          if (isTaken)
            exemplars.push(
              ...list(point, 'exemplars')
                .filter((e) => refusalOf(millis(e, 'timeUnixNano'), bounds) === null)
                .map((e) => exemplarRow(e, series.metric)),
            );
        }
      }
    }
  }
  return { accepted: judge.accepted, rejected: judge.rejected, exemplars };
}

const prefixed = (prefix: string, attributes: Record<string, string>) =>
  Object.fromEntries(Object.entries(attributes).map(([name, value]) => [prefix + name, value]));

function pointRow(data: DataKind, point: Message): ExpectedPoint {
  const row = { timeMs: millis(point, 'timeUnixNano'), startMs: millis(point, 'startTimeUnixNano') };
  const noValue = num(point, 'flags', 0) & 1;
  const big = (name: string, from: Message | undefined = point) => BigInt(str(from, name) || '0');
  const bigs = (from: Message | undefined) => ((from?.['bucketCounts'] as string[] | undefined) ?? []).map(BigInt);
  if (data === 'gauge' || data === 'sum') {
    if (point['value'] === 'asInt') {
      const integer = big('asInt');
      const isInexact = integer > 2n ** 53n || integer < -(2n ** 53n);
      return { ...row, value: Number(integer), flags: noValue | (isInexact ? 2 : 0) };
    }
    const isAbsent = point['value'] === undefined;
    return { ...row, value: num(point, 'asDouble', 0), flags: noValue | (isAbsent ? 1 : 0) };
  }
  const counted = { ...row, flags: noValue, count: big('count') };
  if (data === 'summary') {
    const quantiles = list(point, 'quantileValues');
    return {
      ...counted,
      sum: num(point, 'sum', 0),
      quantiles: quantiles.map((q) => num(q, 'quantile', 0)),
      quantileValues: quantiles.map((q) => num(q, 'value', 0)),
    };
  }
  const extremes = {
    sum: num(point, 'sum', Number.NaN),
    min: num(point, 'min', Number.NaN),
    max: num(point, 'max', Number.NaN),
  };
  if (data === 'histogram') return { ...counted, ...extremes, bucketCounts: bigs(point) };
  return {
    ...counted,
    ...extremes,
    scale: num(point, 'scale', 0),
    zeroCount: big('zeroCount'),
    zeroThreshold: num(point, 'zeroThreshold', 0),
    positiveOffset: num(child(point, 'positive'), 'offset', 0),
    positiveCounts: bigs(child(point, 'positive')),
    negativeOffset: num(child(point, 'negative'), 'offset', 0),
    negativeCounts: bigs(child(point, 'negative')),
  };
}

function exemplarRow(exemplar: Message, metric: string): ExpectedPoint {
  return {
    series: metric,
    timeMs: millis(exemplar, 'timeUnixNano'),
    value: Number(BigInt(str(exemplar, 'asInt') || '0')),
    traceId: id(exemplar, 'traceId', 16),
    spanId: id(exemplar, 'spanId', 8),
    attributes: new Map(Object.entries(attributesOf(list(exemplar, 'filteredAttributes')))),
  };
}

/** An id as stored: zeros unless it has the right length. */
function id(message: Message, name: string, length: number): Buffer {
  const sent = message[name] as Buffer | undefined;
  return sent?.length === length ? sent : Buffer.alloc(length);
}

const asMap = (message: Message | undefined, name: string) =>
  new Map(Object.entries(attributesOf(list(message, name))));

export function expectedSpans(request: Message, bounds: TimeBounds): Expected {
  const judge = new Judge();
  for (const resource of list(request, 'resourceSpans')) {
    for (const scope of list(resource, 'scopeSpans')) {
      for (const span of list(scope, 'spans')) {
        const isId = (name: string, length: number) => id(span, name, length).some((byte) => byte !== 0);
        const isIdentified = isId('traceId', 16) && isId('spanId', 8);
        const refusal = refusalOf(millis(span, 'startTimeUnixNano'), bounds) ?? (isIdentified ? null : 'invalid_ids');
        judge.take(refusal, () => spanRow(span, scope, resource));
      }
    }
  }
  return judge;
}

function spanRow(span: Message, scope: Message, resource: Message): ExpectedPoint {
  const start = nanos(span, 'startTimeUnixNano');
  const end = nanos(span, 'endTimeUnixNano');
  const resourceAttributes = asMap(child(resource, 'resource'), 'attributes');
  const kinds = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
  return {
    timeNs: start,
    durationNs: end < start ? 0n : end - start,
    traceId: id(span, 'traceId', 16),
    spanId: id(span, 'spanId', 8),
    parentSpanId: id(span, 'parentSpanId', 8),
    traceState: str(span, 'traceState'),
    name: str(span, 'name'),
    kind: kinds[num(span, 'kind', 0)] ?? 'Unspecified',
    serviceName: resourceAttributes.get('service.name') ?? '',
    resourceSchemaUrl: str(resource, 'schemaUrl'),
    resourceAttributes,
    scopeSchemaUrl: str(scope, 'schemaUrl'),
    scopeName: str(child(scope, 'scope'), 'name'),
    scopeVersion: str(child(scope, 'scope'), 'version'),
    scopeAttributes: asMap(child(scope, 'scope'), 'attributes'),
    attributes: asMap(span, 'attributes'),
    flags: num(span, 'flags', 0),
    droppedAttributes: num(span, 'droppedAttributesCount', 0),
    droppedEvents: num(span, 'droppedEventsCount', 0),
    droppedLinks: num(span, 'droppedLinksCount', 0),
    statusCode: ['Unset', 'Ok', 'Error'][num(child(span, 'status'), 'code', 0)] ?? 'Unset',
    statusMessage: str(child(span, 'status'), 'message'),
    events: list(span, 'events').map((event) => ({
      timeNs: nanos(event, 'timeUnixNano'),
      name: str(event, 'name'),
      attributes: asMap(event, 'attributes'),
      droppedAttributes: num(event, 'droppedAttributesCount', 0),
    })),
    links: list(span, 'links').map((link) => ({
      traceId: id(link, 'traceId', 16).toString('hex'),
      spanId: id(link, 'spanId', 8).toString('hex'),
      traceState: str(link, 'traceState'),
      attributes: asMap(link, 'attributes'),
      droppedAttributes: num(link, 'droppedAttributesCount', 0),
      flags: num(link, 'flags', 0),
    })),
  };
}

export function expectedLogs(request: Message, bounds: TimeBounds): Expected {
  const judge = new Judge();
  for (const resource of list(request, 'resourceLogs')) {
    for (const scope of list(resource, 'scopeLogs')) {
      for (const record of list(scope, 'logRecords')) {
        const time = nanos(record, 'timeUnixNano') || nanos(record, 'observedTimeUnixNano');
        judge.take(refusalOf(Number(time / 1_000_000n), bounds), () => logRow(record, time, scope, resource));
      }
    }
  }
  return judge;
}

function logRow(record: Message, timeNs: bigint, scope: Message, resource: Message): ExpectedPoint {
  const resourceAttributes = asMap(child(resource, 'resource'), 'attributes');
  return {
    timeNs,
    observedNs: nanos(record, 'observedTimeUnixNano'),
    traceId: id(record, 'traceId', 16),
    spanId: id(record, 'spanId', 8),
    traceFlags: num(record, 'flags', 0) & 0xff,
    severityText: str(record, 'severityText'),
    severityNumber: num(record, 'severityNumber', 0),
    serviceName: resourceAttributes.get('service.name') ?? '',
    body: valueText(child(record, 'body')),
    resourceSchemaUrl: str(resource, 'schemaUrl'),
    resourceAttributes,
    scopeSchemaUrl: str(scope, 'schemaUrl'),
    scopeName: str(child(scope, 'scope'), 'name'),
    scopeVersion: str(child(scope, 'scope'), 'version'),
    scopeAttributes: asMap(child(scope, 'scope'), 'attributes'),
    attributes: asMap(record, 'attributes'),
    eventName: str(record, 'eventName'),
    droppedAttributes: num(record, 'droppedAttributesCount', 0),
  };
}
