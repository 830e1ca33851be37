import { decodeWithOracle, type Message } from '../../testdata/messages.ts';
import type { Expected } from './oracle.ts';

const list = (message: Message, name: string): Message[] => (message[name] as Message[] | undefined) ?? [];
const text = (message: Message, name: string): string => String(message[name] ?? '');
const millis = (message: Message, name: string): number => Number(BigInt(text(message, name) || '0') / 1_000_000n);
const numbers = (message: Message, name: string): number[] => ((message[name] as unknown[]) ?? []).map(Number);

const pairs = (attributes: Message[]): [string, string][] =>
  attributes.map((one) => [text(one, 'key'), text((one['value'] as Message | undefined) ?? {}, 'stringValue')]);

/** An `ExportMetricsServiceRequest` as the oracle of OTLP reads it, in the words of {@link Expected}; flags stand in `flags` when set. */
export function flattenOtlp(payload: Uint8Array): Expected[] {
  const request = decodeWithOracle('MetricsRequest', payload);
  return list(request, 'resourceMetrics')
    .flatMap((resource) => list(resource, 'scopeMetrics'))
    .flatMap((scope) => list(scope, 'metrics'))
    .flatMap((metric) => {
      const kind = String(metric['data']);
      const data = metric[kind] as Message;
      return list(data, 'dataPoints').map((point) => ({
        metric: text(metric, 'name'),
        unit: text(metric, 'unit'),
        labels: pairs(list(point, 'attributes')),
        timeMs: millis(point, 'timeUnixNano'),
        startMs: millis(point, 'startTimeUnixNano'),
        exemplars: list(point, 'exemplars').map(exemplarOf),
        ...(point['flags'] ? { flags: point['flags'] } : {}),
        ...ofKind(kind, data, point),
      }));
    });
}

function exemplarOf(exemplar: Message): Expected {
  const hex = (name: string) => Buffer.from((exemplar[name] as Uint8Array | undefined) ?? []).toString('hex');
  return {
    timeMs: millis(exemplar, 'timeUnixNano'),
    value: exemplar['asDouble'],
    traceId: hex('traceId'),
    spanId: hex('spanId'),
    labels: pairs(list(exemplar, 'filteredAttributes')),
  };
}

function ofKind(kind: string, data: Message, point: Message): Expected {
  if (kind === 'gauge') return { kind, value: point['asDouble'] };
  if (kind === 'sum') {
    const isCounter = data['aggregationTemporality'] === 2 && data['isMonotonic'] === true;
    return { kind: isCounter ? 'counter' : 'other sum', value: point['asDouble'] };
  }
  const head = {
    kind,
    count: Number(point['count'] ?? 0),
    sum: point['sum'],
    isGauge: data['aggregationTemporality'] !== 2,
  };
  if (kind === 'histogram') {
    const counts = numbers(point, 'bucketCounts');
    return { ...head, bounds: numbers(point, 'explicitBounds'), positive: filled(counts, 0) };
  }
  const side = (name: string) => {
    const buckets = (point[name] as Message | undefined) ?? {};
    // OTLP's bucket i is Prometheus' bucket i + 1.
    return filled(numbers(buckets, 'bucketCounts'), Number(buckets['offset'] ?? 0) + 1);
  };
  return {
    ...head,
    schema: Number(point['scale'] ?? 0),
    zero: Number(point['zeroCount'] ?? 0),
    threshold: Number(point['zeroThreshold'] ?? 0),
    negative: side('negative'),
    positive: side('positive'),
  };
}

const filled = (counts: readonly number[], offset: number): [number, number][] =>
  counts.flatMap((count, i): [number, number][] => (count === 0 ? [] : [[i + offset, count]]));
