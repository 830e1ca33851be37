import type { OtlpSignal } from './port.ts';
import { WireWriter } from './wire-writer.ts';

export type OtlpContentType = 'application/x-protobuf' | 'application/json';

const rejectedNames: Record<OtlpSignal, string> = {
  metrics: 'rejectedDataPoints',
  traces: 'rejectedSpans',
  logs: 'rejectedLogRecords',
};

/** Body of `Export…ServiceResponse`; with nothing rejected it is the empty message. *Source* OTLP specification, "Partial Success". */
export function exportResponse(
  signal: OtlpSignal,
  contentType: OtlpContentType,
  rejected: number,
  reason: string,
): Uint8Array {
  if (contentType === 'application/json') {
    const body =
      rejected === 0 ? {} : { partialSuccess: { [rejectedNames[signal]]: String(rejected), errorMessage: reason } };
    return Buffer.from(JSON.stringify(body));
  }
  const writer = new WireWriter();
  if (rejected > 0) {
    writer.tag(1, 2);
    writer.nested(() => {
      writer.tag(1, 0);
      writer.varint(BigInt(rejected));
      writer.tag(2, 2);
      writer.string(reason);
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
  [413, 3],
  [415, 3],
  [429, 8],
  [503, 14],
]);

/** Body of a refused request: `google.rpc.Status { code = 1; message = 2 }`; an unlisted status is INTERNAL (13). */
export function statusBody(contentType: OtlpContentType, httpStatus: number, message: string): Uint8Array {
  const code = grpcCodes.get(httpStatus) ?? 13;
  if (contentType === 'application/json') return Buffer.from(JSON.stringify({ code, message }));
  const writer = new WireWriter();
  writer.tag(1, 0);
  writer.varint(BigInt(code));
  writer.tag(2, 2);
  writer.string(message);
  return writer.finish();
}
