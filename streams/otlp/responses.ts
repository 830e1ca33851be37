import type { OtlpSignal } from './port.ts';
import { WireWriter } from './wire-writer.ts';

export type OtlpContentType = 'application/x-protobuf' | 'application/json';

const rejectedNames: Record<OtlpSignal, string> = {
  metrics: 'rejectedDataPoints',
  traces: 'rejectedSpans',
  logs: 'rejectedLogRecords',
};

/**
 * Body of `Export…ServiceResponse`: the empty message, or `partial_success` with the number of rejected records and each reason with its own.
 *
 * *Shape* `ExportMetricsServiceResponse { partial_success = 1 { rejected = 1 int64; error_message = 2 } }`, alike for the three signals. *Source* OTLP specification, "Partial Success".
 */
export function exportResponse(
  signal: OtlpSignal,
  contentType: OtlpContentType,
  rejected: ReadonlyMap<string, number>,
): Uint8Array {
  const total = [...rejected.values()].reduce((sum, count) => sum + count, 0);
  const reasons = [...rejected].map(([reason, count]) => `${count} ${reason}`).join(', ');
  if (contentType === 'application/json') {
    const body =
      total === 0 ? {} : { partialSuccess: { [rejectedNames[signal]]: String(total), errorMessage: reasons } };
    return Buffer.from(JSON.stringify(body));
  }
  const writer = new WireWriter();
  if (total > 0) {
    writer.tag(1, 2);
    writer.nested(() => {
      writer.tag(1, 0);
      writer.varint(BigInt(total));
      text(writer, 2, reasons);
    });
  }
  return writer.finish();
}

/** gRPC codes of HTTP statuses. *Source* OTLP specification and google.rpc.Code. */
const grpcCodes = new Map([
  [400, 3],
  [401, 16],
  [403, 7],
  [404, 5],
  [405, 12],
  [408, 4],
  [413, 3],
  [415, 3],
  [429, 8],
  [431, 3],
  [503, 14],
]);

/** The `google.rpc.Code` of an HTTP status; an unlisted one is INTERNAL (13). */
export const grpcCodeOf = (httpStatus: number): number => grpcCodes.get(httpStatus) ?? 13;

/** What else a sender is told about its refused request. */
export interface StatusHints {
  /** Given: the same request may succeed after this many seconds. */
  readonly retryAfterSeconds?: number | undefined;
  /** The offending part of the request, by path. */
  readonly field?: string | undefined;
}

/** The answer's type for a request's `content-type` header: JSON for JSON, and for a request that names no type at all; protobuf for every other. */
export function contentTypeOf(header: string | undefined): OtlpContentType {
  const given = header?.split(';')[0]?.trim().toLowerCase();
  return given === undefined || given === '' || given === 'application/json'
    ? 'application/json'
    : 'application/x-protobuf';
}

const typePrefix = 'type.googleapis.com/google.rpc.';

/**
 * Body of a refused request, and the detail of a gRPC status.
 *
 * *Shape* `google.rpc.Status { code = 1; message = 2; details = 3 Any { type_url = 1; value = 2 } }` with `RetryInfo { retry_delay = 1 Duration { seconds = 1; nanos = 2 } }` when it may be
 * repeated and `BadRequest { field_violations = 1 { field = 1; description = 2 } }` when a field is to blame. *Source* google/rpc/{status,error_details}.proto.
 */
export function statusBody(
  contentType: OtlpContentType,
  httpStatus: number,
  reason: string,
  hints: StatusHints = {},
): Uint8Array {
  const code = grpcCodeOf(httpStatus);
  const message = reason.toWellFormed().slice(0, messageCharactersMax);
  const { retryAfterSeconds, field } = hints;
  if (contentType === 'application/json') {
    const details = [
      ...(retryAfterSeconds === undefined
        ? []
        : [{ '@type': `${typePrefix}RetryInfo`, retryDelay: `${retryAfterSeconds}s` }]),
      ...(field === undefined
        ? []
        : [{ '@type': `${typePrefix}BadRequest`, fieldViolations: [{ field, description: message }] }]),
    ];
    return Buffer.from(JSON.stringify({ code, message, ...(details.length === 0 ? {} : { details }) }));
  }
  const writer = new WireWriter();
  writer.tag(1, 0);
  writer.varint(BigInt(code));
  text(writer, 2, message);
  if (retryAfterSeconds !== undefined) {
    any(writer, 'RetryInfo', () => message1(writer, () => duration(writer, retryAfterSeconds)));
  }
  if (field !== undefined) {
    any(writer, 'BadRequest', () =>
      message1(writer, () => {
        text(writer, 1, field);
        text(writer, 2, message);
      }),
    );
  }
  return writer.finish();
}

/** gRPC carries it in a trailer, and peers bound those at 8 KiB. */
const messageCharactersMax = 1000;

function text(writer: WireWriter, field: number, value: string): void {
  writer.tag(field, 2);
  writer.string(value.toWellFormed());
}

function message1(writer: WireWriter, write: () => void): void {
  writer.tag(1, 2);
  writer.nested(write);
}

function any(writer: WireWriter, name: string, write: () => void): void {
  writer.tag(3, 2);
  writer.nested(() => {
    text(writer, 1, typePrefix + name);
    writer.tag(2, 2);
    writer.nested(write);
  });
}

function duration(writer: WireWriter, seconds: number): void {
  const whole = Math.floor(seconds);
  const nanos = Math.round((seconds - whole) * 1e9);
  writer.tag(1, 0);
  writer.varint(BigInt(whole));
  if (nanos > 0) {
    writer.tag(2, 0);
    writer.varint(BigInt(nanos));
  }
}
