import { hash32, unit } from './hash.ts';
import { COMPONENTS } from './incident.ts';
import { encodeResource, encodeScope } from './metrics-encoder.ts';
import type { TenantModel } from './tenant-model.ts';
import { integer, keyValue, message, nanoseconds, text } from './wire-writer.ts';

type Attributes = Readonly<Record<string, string | number>>;

/** A span of a simulated request. *Units* milliseconds. */
export interface SimulatedSpan {
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly parentSpanId: Uint8Array | undefined;
  readonly name: string;
  /** OTLP: 2 server, 3 client. */
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  readonly failed: boolean;
}

/** A log line. *Shape* `severity` is OTLP's number: 9 info, 13 warn, 17 error. */
export interface SimulatedLog {
  readonly timeMs: number;
  readonly severity: 9 | 13 | 17;
  readonly body: string;
  readonly attributes: Attributes;
  readonly traceId: Uint8Array | undefined;
  readonly spanId: Uint8Array | undefined;
}

const TEMPLATES = [
  ['GET', '/api/v1/customers', 'SELECT customers', 48],
  ['POST', '/api/v1/payments', 'INSERT payments', 170],
  ['POST', '/api/v1/auth/login', 'SELECT sessions', 90],
] as const;

/** One trace (server, database and service span) for every whole `everyMs` of [from, to). */
export function spansBetween(model: TenantModel, fromMs: number, toMs: number, everyMs: number): SimulatedSpan[] {
  const spans: SimulatedSpan[] = [];
  for (let slot = Math.ceil(fromMs / everyMs) * everyMs; slot < toMs; slot += everyMs)
    spans.push(...traceAt(model, slot));
  return spans;
}

/** One log line for every whole `everyMs` of [from, to), and one a minute while something is broken. */
export function logsBetween(model: TenantModel, fromMs: number, toMs: number, everyMs: number): SimulatedLog[] {
  const logs: SimulatedLog[] = [];
  for (let minute = Math.ceil(fromMs / 60_000) * 60_000; minute < toMs; minute += 60_000) {
    const incident = model.incidentAt(minute);
    if (incident !== undefined) {
      const [first] = traceAt(model, minute);
      const component = COMPONENTS[incident.component] ?? 'api';
      logs.push({
        timeMs: minute + 400,
        severity: incident.status === 'down' ? 17 : 13,
        body: incident.maintenance
          ? `${component} is in maintenance`
          : incident.status === 'down'
            ? `${component} does not answer: connection refused`
            : `${component} is slow: answer took longer than 2 s`,
        attributes: { component, 'dotmac.fault.domain': incident.faultDomain },
        traceId: first?.traceId,
        spanId: first?.spanId,
      });
    } else if (minute % everyMs === 0) {
      const body = ['billing run finished', 'configuration reloaded', 'backup verified', 'session store compacted'];
      logs.push({
        timeMs: minute + 100,
        severity: 9,
        body: body[hash32(model.seed, 951, minute / 60_000) % body.length] ?? '',
        attributes: { component: 'api', customers: model.customers(minute) },
        traceId: undefined,
        spanId: undefined,
      });
    }
  }
  return logs;
}

function traceAt(model: TenantModel, slotMs: number): SimulatedSpan[] {
  const minute = slotMs / 60_000;
  const [method, route, query, median] = TEMPLATES[hash32(model.seed, 901, minute) % TEMPLATES.length] ?? TEMPLATES[0];
  const incident = model.incidentAt(slotMs);
  const failed = incident?.status === 'down';
  const slow = incident === undefined ? 1 : 12;
  const duration = Math.round(median * slow * (0.5 + 1.5 * unit(model.seed, 902, minute)) * 1000) / 1000;
  const traceId = bytesOf(model.seed, 903, minute, 16);
  const span = (index: number) => bytesOf(model.seed, 910 + index, minute, 8);
  return [
    {
      traceId,
      spanId: span(0),
      parentSpanId: undefined,
      name: `${method} ${route}`,
      kind: 2,
      startMs: slotMs,
      endMs: slotMs + duration,
      attributes: {
        'http.request.method': method,
        'http.route': route,
        'http.response.status_code': failed ? 500 : 200,
      },
      failed,
    },
    {
      traceId,
      spanId: span(1),
      parentSpanId: span(0),
      name: query,
      kind: 3,
      startMs: slotMs + duration * 0.2,
      endMs: slotMs + duration * 0.8,
      attributes: { 'db.system.name': 'postgresql', 'db.query.summary': query },
      failed,
    },
    {
      traceId,
      spanId: span(2),
      parentSpanId: span(0),
      name: 'radius lookup',
      kind: 3,
      startMs: slotMs + duration * 0.05,
      endMs: slotMs + duration * 0.18,
      attributes: { 'rpc.system': 'radius' },
      failed: false,
    },
  ];
}

function bytesOf(seed: number, what: number, minute: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  for (let word = 0; word < length / 4; word += 1) view.setUint32(word * 4, hash32(seed, what * 31 + word, minute));
  return bytes;
}

function attributesOf(field: number, attributes: Attributes): Uint8Array[] {
  return Object.entries(attributes).map(([name, value]) => keyValue(field, name, value));
}

/** OTLP `ExportTraceServiceRequest` of one resource. *Source* opentelemetry-proto 1.x, trace.proto. */
export function encodeSpans(
  resource: Readonly<Record<string, string | boolean>>,
  scope: string,
  spans: readonly SimulatedSpan[],
): Uint8Array {
  const encoded = spans.map((span) =>
    message(
      2,
      message(1, span.traceId),
      message(2, span.spanId),
      ...(span.parentSpanId === undefined ? [] : [message(4, span.parentSpanId)]),
      text(5, span.name),
      integer(6, span.kind),
      nanoseconds(7, span.startMs),
      nanoseconds(8, span.endMs),
      ...attributesOf(9, span.attributes),
      message(15, ...(span.failed ? [text(2, 'connection refused'), integer(3, 2)] : [])),
    ),
  );
  return message(1, encodeResource(resource), message(2, encodeScope(scope), ...encoded));
}

/** OTLP `ExportLogsServiceRequest` of one resource. *Source* opentelemetry-proto 1.x, logs.proto. */
export function encodeLogs(
  resource: Readonly<Record<string, string | boolean>>,
  scope: string,
  logs: readonly SimulatedLog[],
): Uint8Array {
  const names = { 9: 'INFO', 13: 'WARN', 17: 'ERROR' } as const;
  const encoded = logs.map((log) =>
    message(
      2,
      nanoseconds(1, log.timeMs),
      integer(2, log.severity),
      text(3, names[log.severity]),
      message(5, text(1, log.body)),
      ...attributesOf(6, log.attributes),
      ...(log.traceId === undefined ? [] : [message(9, log.traceId)]),
      ...(log.spanId === undefined ? [] : [message(10, log.spanId)]),
      nanoseconds(11, log.timeMs),
    ),
  );
  return message(1, encodeResource(resource), message(2, encodeScope(scope), ...encoded));
}
