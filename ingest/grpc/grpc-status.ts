import { Metadata } from '@grpc/grpc-js';
import { AppError } from 'streams/contract';
import { grpcCodeOf, statusBody } from 'streams/otlp';

/** A refusal as HTTP would count it and as gRPC tells it. */
export interface GrpcRefusal {
  /** Stable code, the reason in `/metrics`. */
  readonly code: string;
  readonly httpStatus: number;
  readonly status: { readonly code: number; readonly details: string; readonly metadata: Metadata };
}

/** Longer texts are cut: peers bound the trailers they take at 8 KiB. */
const detailCharactersMax = 500;

/**
 * The gRPC status of an error, with the whole `google.rpc.Status` in `grpc-status-details-bin`.
 *
 * *Shape* limits are RESOURCE_EXHAUSTED and faults of ours UNAVAILABLE, both with RetryInfo; without it an exporter gives RESOURCE_EXHAUSTED up. A fault is never INTERNAL or UNKNOWN,
 * which are not repeated. *Source* OTLP specification, "OTLP/gRPC Response" and "OTLP/gRPC Throttling".
 */
export function toGrpcStatus(error: unknown): GrpcRefusal {
  const known = error instanceof AppError ? error : null;
  const isOurs = known === null || known.status >= 500;
  const httpStatus = isOurs ? 503 : known.status;
  const code = known?.code ?? 'ingest.unavailable';
  const text = known === null || known.status === 500 ? 'the request could not be taken: send it again' : known.message;
  const details = `${code}: ${text}`.toWellFormed().slice(0, detailCharactersMax);
  const retryAfterSeconds = known?.retryAfterSeconds ?? (httpStatus === 503 || httpStatus === 429 ? 1 : undefined);
  const metadata = new Metadata();
  const body = statusBody('application/x-protobuf', httpStatus, details, {
    retryAfterSeconds,
    field: known?.field?.slice(0, detailCharactersMax),
  });
  metadata.set('grpc-status-details-bin', Buffer.from(body));
  return { code, httpStatus, status: { code: grpcCodeOf(httpStatus), details: details.toWellFormed(), metadata } };
}
