import { AppError, type UsageEvent } from 'streams/contract';
import { z } from 'zod';
import { withoutInexactValues } from './exact-json.ts';
import { sequenceOf } from './numbered-runs.ts';

/** When a usage event may have occurred, seen from its receipt. *Source* interfaces: 32 days back without scope `backfill`, 5 minutes ahead. */
const oldestMs = 32 * 86_400_000;
const newestMs = 5 * 60_000;

/** Integer and fraction digits of `Decimal(38, 12)`. */
const exactDecimal = /^-?\d{1,26}(\.\d{1,12})?$/;

export interface Reading {
  readonly receivedAtMs: number;
  /** Whether the key may send events older than 32 days. */
  readonly backfill: boolean;
}

export interface ReadEvents {
  readonly events: readonly UsageEvent[];
  /** Events that carried no time and were given the time of receipt. */
  readonly withoutTime: number;
  /** Of each event, its running number within its source; null without one. */
  readonly numbers: readonly (number | null)[];
}

interface Issue {
  readonly code: 'ingest.event_invalid' | 'ingest.event_negative' | 'ingest.event_too_old' | 'ingest.event_in_future';
  readonly field: string;
  readonly message: string;
}

/** *Source* CloudEvents §3.1, String: without control characters and halves of surrogate pairs. Stored as UTF-8, two ids that differ in a half alone would be one. */
const isAllowed = (value: string) => value.isWellFormed() && !/\p{Cc}/u.test(value);
const notAllowed = 'has a control character or half a surrogate pair';
const text = (most: number) => z.string().min(1).max(most).refine(isAllowed, notAllowed);
/** Letters of RFC 3339 may be small. */
const instant = z.preprocess(
  (value) => (typeof value === 'string' ? value.toUpperCase() : value),
  z.iso.datetime({ offset: true, local: false }).optional(),
);
/** An attribute that is null was not set. *Source* JSON format §2.2. */
const unsetWhenNull = <T extends z.ZodType>(attribute: T) =>
  z.preprocess((value) => (value === null ? undefined : value), attribute);
const cloudEvent = z.looseObject({
  specversion: z.literal('1.0'),
  type: text(255),
  source: text(1024),
  id: text(255),
  subject: unsetWhenNull(z.string().max(255).refine(isAllowed, notAllowed).default('')),
  time: unsetWhenNull(instant),
  datacontenttype: unsetWhenNull(
    z
      .string()
      .regex(/^[\w.+-]+\/(?:[\w.-]+\+)?json\s*(?:;|$)/i, 'data must be JSON')
      .optional(),
  ),
  data: z.looseObject({ value: z.unknown() }),
});

/** Puts the JSON of `data_base64` in the place of `data`. *Source* JSON format §3.1: only one of the two may be there. */
function withDecodedData(item: unknown): { item: unknown; issue: string | null } {
  if (typeof item !== 'object' || item === null || !('data_base64' in item) || item.data_base64 === null) {
    return { item, issue: null };
  }
  const { data_base64: encoded, ...event } = item as Record<string, unknown>;
  if (event['data'] !== undefined && event['data'] !== null) return { item, issue: 'stands beside data' };
  if (
    typeof encoded !== 'string' ||
    !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(encoded)
  ) {
    return { item, issue: 'is not base64' };
  }
  try {
    const json = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(encoded, 'base64'));
    return { item: { ...event, data: withoutInexactValues(json, JSON.parse(json)) }, issue: null };
  } catch {
    return { item, issue: 'holds no JSON' };
  }
}

/**
 * Reads CloudEvents 1.0 in JSON, one or an array, into usage events. All are good, or none is taken.
 *
 * *Units* `value` keeps every digit it was sent with; `time` becomes UTC with milliseconds.
 * *Errors* `ingest.event_invalid`, `ingest.event_negative`, `ingest.event_too_old`, `ingest.event_in_future` (400): `field` is the path of the first mistake, the message lists up to 20. *Source* CloudEvents 1.0.2, JSON format.
 */
export function readCloudEvents(body: unknown, reading: Reading): ReadEvents {
  const isBatch = Array.isArray(body);
  const items: readonly unknown[] = isBatch ? body : [body];
  const issues: Issue[] = [];
  const events: UsageEvent[] = [];
  const numbers: (number | null)[] = [];
  let withoutTime = 0;
  items.forEach((sent, i) => {
    const prefix = isBatch ? `[${i}]` : '';
    const { item, issue } = withDecodedData(sent);
    if (issue !== null) {
      issues.push(invalid(prefix, ['data_base64'], issue));
      return;
    }
    const parsed = cloudEvent.safeParse(item);
    if (!parsed.success) {
      for (const issue of parsed.error.issues) issues.push(invalid(prefix, issue.path, issue.message));
      return;
    }
    const event = parsed.data;
    const value = exactValue(event.data.value);
    if (value === null) {
      const expected = 'a decimal string of at most 26 integer and 12 fraction digits, or a whole number up to 2^53';
      issues.push(invalid(prefix, ['data', 'value'], `${expected}, is expected`));
    }
    const isNegative = value?.startsWith('-') === true;
    if (isNegative) {
      const message = 'is below 0: what was counted too much is corrected by an adjustment, not by an event';
      issues.push({ code: 'ingest.event_negative', field: pathOf(prefix, ['data', 'value']), message });
    }
    const timeMs = event.time === undefined ? reading.receivedAtMs : Date.parse(event.time);
    const late = timeIssue(timeMs, reading, prefix);
    if (late !== null) issues.push(late);
    if (value === null || isNegative || late !== null) return;
    if (event.time === undefined) withoutTime++;
    numbers.push(sequenceOf(event));
    events.push({
      type: event.type,
      source: event.source,
      id: event.id,
      subject: event.subject,
      time: new Date(timeMs).toISOString(),
      value,
      attributes: attributesOf(event.data),
      ...(event.time === undefined ? { timeOfReceipt: true as const } : {}),
    });
  });
  if (issues.length > 0) throw refusal(issues);
  return { events, withoutTime, numbers };
}

/** The value's exact decimal string; null when it is not one, or a number whose digits JSON may already have lost. */
function exactValue(value: unknown): string | null {
  if (typeof value === 'string') return exactDecimal.test(value) ? value.replace(/^-(?=0*(?:\.0*)?$)/, '') : null;
  if (typeof value !== 'number' || !Number.isInteger(value) || Math.abs(value) > 2 ** 53) return null;
  return String(Object.is(value, -0) ? 0 : value);
}

function attributesOf(data: Readonly<Record<string, unknown>>): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(data)) {
    if (name === 'value' || value === null || value === undefined) continue;
    attributes[name] = typeof value === 'string' ? value : JSON.stringify(value);
  }
  return attributes;
}

function timeIssue(timeMs: number, reading: Reading, prefix: string): Issue | null {
  const field = pathOf(prefix, ['time']);
  if (timeMs > reading.receivedAtMs + newestMs) {
    return { code: 'ingest.event_in_future', field, message: 'is more than 5 minutes ahead' };
  }
  if (timeMs < reading.receivedAtMs - oldestMs && !reading.backfill) {
    return { code: 'ingest.event_too_old', field, message: 'is older than 32 days and the key has no scope backfill' };
  }
  if (timeMs < 0) return { code: 'ingest.event_too_old', field, message: 'is before 1970' };
  return null;
}

const invalid = (prefix: string, path: readonly PropertyKey[], message: string): Issue => ({
  code: 'ingest.event_invalid',
  field: pathOf(prefix, path),
  message,
});

function pathOf(prefix: string, path: readonly PropertyKey[]): string {
  const joined = path.map(String).join('.');
  if (prefix === '') return joined === '' ? '(body)' : joined;
  return joined === '' ? prefix : `${prefix}.${joined}`;
}

const shownIssues = 20;

function refusal(issues: readonly Issue[]): AppError {
  const first = issues[0];
  const codes = new Set(issues.map((issue) => issue.code));
  const shown = issues.slice(0, shownIssues);
  const more = issues.length > shownIssues ? `; and ${issues.length - shownIssues} more` : '';
  return new AppError(
    codes.size === 1 && first !== undefined ? first.code : 'ingest.event_invalid',
    shown.map((issue) => `${issue.field}: ${issue.message}`).join('; ') + more,
    { status: 400, field: first?.field, context: { issues: shown } },
  );
}

/** How an event is carried. Structured and batched events name their media type; anything else is data whose attributes stand in headers, or, without them, plain JSON taken as structured. */
export type ContentMode = 'structured' | 'batched' | 'binary';

/** *Source* CloudEvents HTTP binding §3: the media type decides, headers of a structured event are copies. */
export function contentModeOf(headers: Readonly<Record<string, string | string[] | undefined>>): ContentMode {
  const type = String(headers['content-type'] ?? '').toLowerCase();
  if (type.startsWith('application/cloudevents-batch')) return 'batched';
  if (type.startsWith('application/cloudevents')) return 'structured';
  return headers['ce-specversion'] === undefined ? 'structured' : 'binary';
}

/** A header value: a quoted string is unquoted, then percent-encoding is undone once. *Source* HTTP binding §3.1.3.2. */
function headerValue(value: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(value);
  return decodeURIComponent(quoted === null ? value : (quoted[1] ?? '').replace(/\\(.)/g, '$1'));
}

/**
 * Joins the headers and the body of a binary-mode request into one structured event; `datacontenttype` is the Content-Type. *Source* CloudEvents HTTP binding §3.1.
 *
 * *Errors* `ingest.event_invalid` for a header that is not valid percent-encoding of UTF-8.
 */
export function fromBinaryMode(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  data: unknown,
): unknown {
  const event: Record<string, unknown> = { data };
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith('ce-') || typeof value !== 'string') continue;
    try {
      event[name.slice(3)] = headerValue(value);
    } catch (cause) {
      const field = `headers.${name}`;
      throw new AppError('ingest.event_invalid', `${field}: is not valid percent-encoding`, {
        status: 400,
        field,
        cause,
      });
    }
  }
  delete event['data_base64'];
  return { ...event, data, datacontenttype: headers['content-type'] };
}
