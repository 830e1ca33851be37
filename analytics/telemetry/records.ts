import { AppError, DeadLetter, pageOf, TenantId } from 'streams/contract';
import { z } from 'zod';

const attributes = z.record(z.string(), z.string());

/** Who made a record inside its process, and by which version of the conventions. */
const Origin = {
  resource: attributes,
  resourceSchemaUrl: z.string(),
  scope: z.object({ name: z.string(), version: z.string(), attributes, schemaUrl: z.string() }),
};

/** Columns of a record's origin as the engine returns them. */
interface OriginRow {
  readonly scopeName: string;
  readonly scopeVersion: string;
  readonly scopeAttributes: Record<string, string>;
  readonly scopeSchemaUrl: string;
}

/** Puts the columns of a scope into one object. */
export function withScope<T extends OriginRow>(row: T) {
  const { scopeName, scopeVersion, scopeAttributes, scopeSchemaUrl, ...rest } = row;
  const scope = { name: scopeName, version: scopeVersion, attributes: scopeAttributes, schemaUrl: scopeSchemaUrl };
  return { ...rest, scope };
}

/** The instant of nanoseconds since the epoch, in ISO 8601 with nine decimals. */
export function isoOfNanos(nanos: string): string {
  const digits = nanos.padStart(10, '0');
  return `${new Date(Number(digits.slice(0, -9)) * 1_000).toISOString().slice(0, 19)}.${digits.slice(-9)}Z`;
}

/** An id in lower case, '' for none: zeros. */
export const idOf = (hex: string): string => (/^0*$/.test(hex) ? '' : hex.toLowerCase());

/** A span as the trace answer shows it; `dropped…` count what its sender left out. *Units* `durationNanos` nanoseconds as a string, because it may exceed 2^53. */
export const SpanView = z.object({
  tenant: TenantId.nullable(),
  spanId: z.string(),
  parentSpanId: z.string(),
  name: z.string(),
  kind: z.string(),
  service: z.string(),
  start: z.string(),
  durationNanos: z.string(),
  statusCode: z.string(),
  statusMessage: z.string(),
  attributes,
  ...Origin,
  flags: z.number(),
  traceState: z.string(),
  droppedAttributes: z.number(),
  droppedEvents: z.number(),
  droppedLinks: z.number(),
  events: z.array(z.object({ name: z.string(), timeUnixNano: z.string(), attributes, droppedAttributes: z.number() })),
  links: z.array(
    z.object({
      traceId: z.string(),
      spanId: z.string(),
      attributes,
      traceState: z.string(),
      flags: z.number(),
      droppedAttributes: z.number(),
    }),
  ),
});
export const Trace = z.object({ traceId: z.string(), spans: z.array(SpanView), truncated: z.boolean() });

/** A log record as a list shows it. `time` is its own time or else the observed one, `observedTime` null when its sender did not say. */
export const LogRecordView = z.object({
  time: z.string(),
  observedTime: z.string().nullable(),
  severityText: z.string(),
  severityNumber: z.number(),
  service: z.string(),
  body: z.string(),
  traceId: z.string(),
  spanId: z.string(),
  flags: z.number(),
  eventName: z.string(),
  attributes,
  droppedAttributes: z.number(),
  ...Origin,
});
export const LogPage = pageOf(LogRecordView);

/** A trace in a list. *Units* `durationNanos` from its first start to its last end, nanoseconds as a string; `matched` spans fulfil the search. */
export const TraceSummary = z.object({
  traceId: z.string(),
  rootName: z.string(),
  rootService: z.string(),
  start: z.string(),
  durationNanos: z.string(),
  spans: z.number(),
  errors: z.number(),
  matched: z.number(),
  services: z.array(z.string()),
});
export const TracePage = pageOf(TraceSummary);

/** A service that sent spans or log records. */
export const ServicePage = pageOf(z.object({ service: z.string(), spans: z.number(), logRecords: z.number() }));

/** A record that could not be stored, as a list shows it. */
export const DeadLetterView = DeadLetter.omit({ id: true, payload: true, replay: true, replayOf: true });
export const DeadLetterPage = pageOf(DeadLetterView);

/** Packs the fields of the last row into an opaque cursor. */
export function toCursor(fields: readonly string[]): string {
  return Buffer.from(JSON.stringify(fields)).toString('base64url');
}

/** Unpacks a cursor of exactly `patterns.length` fields, each matching its pattern. *Errors* `telemetry.cursor_invalid` (400). */
export function fromCursor(cursor: string, patterns: readonly RegExp[]): string[] {
  try {
    const fields: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(fields) && fields.length === patterns.length) {
      const texts = fields.map(String);
      if (texts.every((text, i) => patterns[i]?.test(text))) return texts;
    }
  } catch {
    // falls through to the coded error
  }
  throw new AppError('telemetry.cursor_invalid', 'the cursor is not one that this list gave out', {
    status: 400,
    field: 'cursor',
  });
}
