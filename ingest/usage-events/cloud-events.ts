import { AppError, type UsageEvent } from 'streams/contract';
import { z } from 'zod';

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
}

interface Issue {
  readonly code: 'ingest.event_invalid' | 'ingest.event_too_old' | 'ingest.event_in_future';
  readonly field: string;
  readonly message: string;
}

const text = (most: number) => z.string().min(1).max(most);
const cloudEvent = z.looseObject({
  specversion: z.literal('1.0'),
  type: text(255),
  source: text(1024),
  id: text(255),
  subject: z.string().max(255).default(''),
  time: z.iso.datetime({ offset: true, local: false }).optional(),
  datacontenttype: z
    .string()
    .regex(/^application\/(?:[\w.-]+\+)?json\b/i, 'data must be JSON')
    .optional(),
  data: z.looseObject({ value: z.unknown() }),
});

/**
 * Reads CloudEvents 1.0 in JSON, one or an array, into usage events. All are good, or none is taken.
 *
 * *Units* `value` keeps every digit it was sent with; `time` becomes UTC with milliseconds.
 * *Errors* `ingest.event_invalid`, `ingest.event_too_old`, `ingest.event_in_future` (400): `field` is the path of the first mistake, the message lists up to 20. *Source* CloudEvents 1.0.2, JSON format.
 */
export function readCloudEvents(body: unknown, reading: Reading): ReadEvents {
  const isBatch = Array.isArray(body);
  const items: readonly unknown[] = isBatch ? body : [body];
  const issues: Issue[] = [];
  const events: UsageEvent[] = [];
  let withoutTime = 0;
  items.forEach((item, i) => {
    const prefix = isBatch ? `[${i}]` : '';
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
    const timeMs = event.time === undefined ? reading.receivedAtMs : Date.parse(event.time);
    const late = timeIssue(timeMs, reading, prefix);
    if (late !== null) issues.push(late);
    if (value === null || late !== null) return;
    if (event.time === undefined) withoutTime++;
    events.push({
      type: event.type,
      source: event.source,
      id: event.id,
      subject: event.subject,
      time: new Date(timeMs).toISOString(),
      value,
      attributes: attributesOf(event.data),
    });
  });
  if (issues.length > 0) throw refusal(issues);
  return { events, withoutTime };
}

/** The value's exact decimal string; null when it is not one, or a number whose digits JSON may already have lost. */
function exactValue(value: unknown): string | null {
  if (typeof value === 'string') return exactDecimal.test(value) ? value : null;
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

/**
 * Joins the headers and the body of a binary-mode request into one structured event. Attribute values are percent-decoded. *Source* CloudEvents HTTP binding §3.1.
 *
 * *Errors* `ingest.event_invalid` for a header that is not valid percent-encoding.
 */
export function fromBinaryMode(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  data: unknown,
): unknown {
  const event: Record<string, unknown> = { data };
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith('ce-') || typeof value !== 'string') continue;
    try {
      event[name.slice(3)] = decodeURIComponent(value);
    } catch (cause) {
      const field = `headers.${name}`;
      throw new AppError('ingest.event_invalid', `${field}: is not valid percent-encoding`, {
        status: 400,
        field,
        cause,
      });
    }
  }
  return event;
}
