import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api';
import { emptyResource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';

/** Name, unit and kind of a metric that a program measured itself. */
export interface MeasuredMetric {
  readonly name: string;
  readonly unit: string;
  /** `counter`: monotonic cumulative sum. */
  readonly kind: 'gauge' | 'counter';
  readonly valueType: 'integer' | 'double';
}

/**
 * A point with times of its own, for figures that instruments cannot carry: read elsewhere and earlier, counted since a start that this process does not know.
 *
 * *Units* milliseconds since 1970; `startMs` of a gauge is ignored.
 */
export interface MeasuredPoint {
  readonly metric: MeasuredMetric;
  readonly attributes: Readonly<Record<string, string>>;
  readonly value: number;
  readonly startMs: number;
  readonly atMs: number;
}

/** Hands over what `take` gives with each collection; `take` gives each point once. */
export function producePoints(take: () => readonly MeasuredPoint[]): MetricProducer {
  return {
    collect: async () => {
      const byMetric = new Map<MeasuredMetric, MeasuredPoint[]>();
      for (const point of take()) {
        const points = byMetric.get(point.metric);
        if (points === undefined) byMetric.set(point.metric, [point]);
        else points.push(point);
      }
      const metrics = [...byMetric].map(([metric, points]) => toMetricData(metric, points));
      const scope = { name: 'dotmac.measured', version: '1' };
      return {
        resourceMetrics: { resource: emptyResource(), scopeMetrics: metrics.length === 0 ? [] : [{ scope, metrics }] },
        errors: [],
      };
    },
  };
}

function toMetricData(metric: MeasuredMetric, points: readonly MeasuredPoint[]): MetricData {
  const descriptor = {
    name: metric.name,
    description: '',
    unit: metric.unit,
    valueType: metric.valueType === 'integer' ? ValueType.INT : ValueType.DOUBLE,
  };
  const dataPoints = points.map((point) => ({
    startTime: toHrTime(point.startMs),
    endTime: toHrTime(point.atMs),
    attributes: point.attributes satisfies Attributes,
    value: point.value,
  }));
  const common = { descriptor, aggregationTemporality: AggregationTemporality.CUMULATIVE, dataPoints };
  return metric.kind === 'gauge'
    ? { ...common, dataPointType: DataPointType.GAUGE }
    : { ...common, dataPointType: DataPointType.SUM, isMonotonic: true };
}

function toHrTime(ms: number): HrTime {
  const whole = Math.trunc(ms);
  return [Math.trunc(whole / 1000), (whole % 1000) * 1_000_000];
}
