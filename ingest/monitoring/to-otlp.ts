import type { HealthCheck, MonitoringAlert, MonitoringMetric } from './monitoring-bodies.ts';

/** Attribute values as the REST bodies carry them. */
type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

const scope = { name: 'dotmac.monitoring.rest', version: '1' };
/** What stands behind the REST endpoints is the ISP's own container: the resource says so where an SDK would. */
const resource = { attributes: toKeyValues({ 'service.namespace': 'dotmac', 'service.name': 'isp-monitoring' }) };

function toKeyValues(attributes: Attributes): object[] {
  return Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ({
      key,
      value:
        typeof value === 'string'
          ? { stringValue: value }
          : typeof value === 'boolean'
            ? { boolValue: value }
            : { doubleValue: value },
    }));
}

/** Newest millisecond that 64 bits of nanoseconds can say. */
const newestMs = 18_446_744_073_709;

/** Nanoseconds of an instant; one that OTLP cannot say becomes the nearest that it can, and is refused by its age like any other. */
function nanos(instant: string): string {
  const ms = Date.parse(instant);
  return `${Math.min(Math.max(ms, 1), newestMs)}000000`;
}

/** A whole number beyond 2^53 has lost digits in JSON already: as an integer it is marked inexact, and no meter takes it. */
const isInexact = (value: number): boolean =>
  Number.isInteger(value) && Math.abs(value) > 2 ** 53 && Math.abs(value) < 2 ** 63;
const numberValue = (value: number): object =>
  isInexact(value) ? { asInt: String(BigInt(value)) } : { asDouble: value };

interface Gauge {
  readonly name: string;
  readonly unit: string;
  readonly time: string;
  readonly value: number;
  readonly attributes: Attributes;
}

function gaugeRequest(gauges: readonly Gauge[]): object {
  const metrics = new Map<string, { name: string; unit: string; gauge: { dataPoints: object[] } }>();
  for (const { name, unit, time, value, attributes } of gauges) {
    const key = JSON.stringify([name, unit]);
    const metric = metrics.get(key) ?? { name, unit, gauge: { dataPoints: [] } };
    metric.gauge.dataPoints.push({
      timeUnixNano: nanos(time),
      ...numberValue(value),
      attributes: toKeyValues(attributes),
    });
    metrics.set(key, metric);
  }
  return { resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics: [...metrics.values()] }] }] };
}

/**
 * Health checks as OTLP: gauge `dotmac.health.status` (1 up or degraded, 0 down; `status` keeps which) and, when sent, `dotmac.health.latency` in seconds. Details go another way, see {@link fromHealthDetails}.
 *
 * *Shape* OTLP/JSON of `ExportMetricsServiceRequest`.
 */
export function fromHealthChecks(checks: readonly HealthCheck[]): object {
  return gaugeRequest(
    checks.flatMap(({ component, status, checkedAt, latencyMs }): Gauge[] => {
      const value = status === 'down' ? 0 : 1;
      const state: Gauge = {
        name: 'dotmac.health.status',
        unit: '1',
        time: checkedAt,
        value,
        attributes: { component, status },
      };
      if (latencyMs === undefined) return [state];
      const latency: Gauge = {
        name: 'dotmac.health.latency',
        unit: 's',
        time: checkedAt,
        value: latencyMs / 1000,
        attributes: { component },
      };
      return [state, latency];
    }),
  );
}

/** Details of checks as OTLP log records with event name `dotmac.health.detail`, because free text in an attribute would make a series of its own; null when no check has one. */
export function fromHealthDetails(checks: readonly HealthCheck[]): object | null {
  const logRecords = checks.flatMap(({ component, status, checkedAt, detail }) =>
    detail === undefined
      ? []
      : [
          {
            timeUnixNano: nanos(checkedAt),
            severityText: status === 'up' ? 'info' : 'warn',
            severityNumber: status === 'up' ? 9 : 13,
            eventName: 'dotmac.health.detail',
            body: { stringValue: detail },
            attributes: toKeyValues({ component, status }),
          },
        ],
  );
  return logRecords.length === 0 ? null : { resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords }] }] };
}

/** Metrics as OTLP gauges. *Shape* OTLP/JSON of `ExportMetricsServiceRequest`. */
export function fromMetrics(metrics: readonly MonitoringMetric[]): object {
  return gaugeRequest(
    metrics.map(({ name, unit, value, timestamp, attributes }) => ({ name, unit, value, time: timestamp, attributes })),
  );
}

/** *Source* logs data model, SeverityNumber: the first number of each range. */
const severities = new Map([
  ['debug', 5],
  ['info', 9],
  ['warning', 13],
  ['warn', 13],
  ['error', 17],
  ['critical', 21],
  ['fatal', 21],
]);

/** Alerts as OTLP log records with event name `dotmac.alert`; body is the summary, labels become `label.NAME`. *Shape* OTLP/JSON of `ExportLogsServiceRequest`. */
export function fromAlerts(alerts: readonly MonitoringAlert[]): object {
  const logRecords = alerts.map(({ name, severity, startsAt, endsAt, labels, summary }) => ({
    timeUnixNano: nanos(startsAt),
    severityText: severity,
    severityNumber: severities.get(severity.toLowerCase()) ?? 0,
    eventName: 'dotmac.alert',
    body: { stringValue: summary },
    attributes: toKeyValues({
      'alert.name': name,
      'alert.ends_at': endsAt ?? undefined,
      ...Object.fromEntries(Object.entries(labels).map(([label, value]) => [`label.${label}`, value])),
    }),
  }));
  return { resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords }] }] };
}
