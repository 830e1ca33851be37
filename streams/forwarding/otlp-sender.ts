import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { z } from 'zod';
import type { OtlpSignal } from '../otlp/port.ts';

const compress = promisify(gzip);

/** Where OTLP goes. */
export interface OtlpTarget {
  /** Base url: signals go to `/v1/metrics`, `/v1/traces`, `/v1/logs` below it. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: 'gzip' | 'none';
  readonly timeoutMs: number;
}

/**
 * What became of a request.
 *
 * *Shape* `sent`: accepted, without `rejected` records that the receiver will never take; `retry`: later, not before `afterMs`; `refused`: this payload is bad for the receiver;
 * `unwelcome`: the receiver refuses whoever sends or does not know the path, which says nothing about the payload, or failed over it (`isFault`).
 */
export type SendResult =
  | { readonly kind: 'sent'; readonly rejected: number }
  | { readonly kind: 'retry'; readonly reason: string; readonly afterMs: number | null }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'unwelcome'; readonly reason: string; readonly isFault: boolean };

export interface OtlpSender {
  send(signal: OtlpSignal, payload: Uint8Array, aborted?: AbortSignal): Promise<SendResult>;
}

/** *Source* OTLP specification, "Failures": retryable response codes. */
const retryable: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Bad data: 400 by the specification; too large and not processable say the same. */
const bad: ReadonlySet<number> = new Set([400, 413, 422]);

const answerBytesMax = 65_536;
const Partial = z.looseObject({
  partialSuccess: z
    .looseObject({
      rejectedDataPoints: z.coerce.number().optional(),
      rejectedSpans: z.coerce.number().optional(),
      rejectedLogRecords: z.coerce.number().optional(),
    })
    .optional(),
});

/** Seconds, or a date. *Source* RFC 9110 §10.2.3. */
export function retryAfterMs(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}

/** Records that the receiver refused of an accepted request: field 1 of field 1, in protobuf or in JSON. */
function rejectedOf(contentType: string, answer: Buffer): number {
  try {
    if (contentType.includes('json')) {
      const { partialSuccess } = Partial.parse(JSON.parse(answer.toString('utf8')));
      const { rejectedDataPoints, rejectedSpans, rejectedLogRecords } = partialSuccess ?? {};
      return rejectedDataPoints ?? rejectedSpans ?? rejectedLogRecords ?? 0;
    }
    // ExportPartialSuccess { int64 rejected = 1; string message = 2; } as field 1 of the response.
    if (answer[0] !== 0x0a || answer[2] !== 0x08) return 0;
    let value = 0;
    for (let at = 3, shift = 1; at < answer.length && at < 12; at++, shift *= 128) {
      const byte = answer[at] ?? 0;
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) break;
    }
    return value;
  } catch {
    return 0;
  }
}

async function readBounded(response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > answerBytesMax) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Sends OTLP/HTTP in protobuf. Never throws for what the network or the receiver does. */
export function createOtlpSender(target: OtlpTarget, now: () => number): OtlpSender {
  const base = target.endpoint.replace(/\/+$/, '');
  const headers: Record<string, string> = {
    ...target.headers,
    'content-type': 'application/x-protobuf',
    ...(target.compression === 'gzip' && { 'content-encoding': 'gzip' }),
  };
  return {
    async send(signal, payload, aborted) {
      const body = target.compression === 'gzip' ? await compress(payload) : payload;
      const timeout = AbortSignal.timeout(target.timeoutMs);
      try {
        const response = await fetch(`${base}/v1/${signal}`, {
          method: 'POST',
          headers,
          body: body as Uint8Array<ArrayBuffer>,
          // Headers with credentials go to the configured host only.
          redirect: 'manual',
          signal: aborted === undefined ? timeout : AbortSignal.any([timeout, aborted]),
        });
        const answer = await readBounded(response);
        if (response.status >= 200 && response.status < 300) {
          return { kind: 'sent', rejected: rejectedOf(response.headers.get('content-type') ?? '', answer) };
        }
        const reason = String(response.status);
        if (bad.has(response.status)) return { kind: 'refused', reason };
        if (retryable.has(response.status)) {
          return { kind: 'retry', reason, afterMs: retryAfterMs(response.headers.get('retry-after'), now()) };
        }
        return { kind: 'unwelcome', reason, isFault: response.status >= 500 };
      } catch {
        return { kind: 'retry', reason: timeout.aborted ? 'timeout' : 'connection', afterMs: null };
      }
    },
  };
}
