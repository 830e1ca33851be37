import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest, RequestPayload } from 'fastify';
import { AppError, invariant } from 'streams/contract';
import { giveBack } from 'streams/log';
import {
  contentTypeOf,
  exportResponse,
  type OtlpContentType,
  type OtlpSignal,
  otlpJsonToProtobuf,
  statusBody,
} from 'streams/otlp';
import type { Clock } from 'streams/runtime';
import type { Admission } from '../acceptance/admission.ts';
import { admitRequests, withTicket } from '../acceptance/admit-requests.ts';
import type { IngestMetrics } from '../acceptance/ingest-metrics.ts';
import { readProducerNumbers } from '../acceptance/producer-numbers.ts';
import type { Acceptance, TelemetryAcceptor } from '../acceptance/telemetry-acceptor.ts';
import { transportRefusal } from '../acceptance/transport-refusals.ts';
import { readWholeBody } from '../acceptance/whole-body.ts';
import { decompress } from './body.ts';

export interface OtlpRoutesDeps {
  readonly acceptor: TelemetryAcceptor;
  readonly metrics: IngestMetrics;
  readonly admission: Admission;
  readonly clock: Clock;
  readonly maxBodyBytes: number;
  readonly maxDecompressedBytes: number;
}

const signals: readonly OtlpSignal[] = ['metrics', 'traces', 'logs'];

/** OTLP/HTTP: `/v1/metrics`, `/v1/traces`, `/v1/logs`. Answers 200 only for what is durable. *Source* OTLP specification 1.x, "OTLP/HTTP". */
export function otlpRoutes(deps: OtlpRoutesDeps): FastifyPluginAsync {
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(
      ['application/x-protobuf', 'application/json'],
      (request: FastifyRequest, payload: RequestPayload) => readWholeBody(request, payload, deps.maxBodyBytes),
    );
    admitRequests(app, deps.admission, deps.maxBodyBytes);
    for (const signal of signals) registerSignal(app, signal, deps);
  };
}

function registerSignal(app: FastifyInstance, signal: OtlpSignal, deps: OtlpRoutesDeps): void {
  app.post(
    `/v1/${signal}`,
    {
      bodyLimit: deps.maxBodyBytes,
      config: { permission: { resource: 'telemetry', action: 'write', tenant: 'credential' } },
      schema: { tags: ['ingest'], summary: `Export ${signal} by OTLP/HTTP, protobuf or JSON` } as object,
      errorHandler: (error, request, reply) => answerStatus(error, request, reply, signal, deps.metrics),
    },
    async (request, reply) => {
      // Without a body Fastify asks for no type; the specification does.
      if (request.headers['content-type'] === undefined) throw mediaType();
      const contentType = contentTypeOf(request.headers['content-type']);
      const { rejected } = await acceptBody(request, signal, contentType, deps);
      deps.metrics.request(signal, 200);
      return reply.type(contentType).send(exportResponse(signal, contentType, rejected));
    },
  );
}

async function acceptBody(
  request: FastifyRequest,
  signal: OtlpSignal,
  contentType: OtlpContentType,
  deps: OtlpRoutesDeps,
): Promise<Acceptance> {
  const { tenant, principal } = request;
  invariant(tenant, 'the access check leaves a tenant on a credential route');
  const receivedAtMs = deps.clock.now();
  const sent = request.body instanceof Uint8Array ? request.body : new Uint8Array(0);
  return withTicket(request, async (ticket) => {
    ticket.received(sent.length);
    const body = await decompress(sent, request.headers['content-encoding'], deps.maxDecompressedBytes);
    try {
      if (body !== sent) ticket.hold(body.length);
      const payload = contentType === 'application/json' ? otlpJsonToProtobuf(signal, body) : body;
      const packed = payload === body && body !== sent ? sent : undefined;
      const numbers = readProducerNumbers((name) => request.headers[name]);
      return await deps.acceptor.accept(signal, payload, { tenant, principal }, receivedAtMs, packed, numbers);
    } finally {
      // Of a compressed body only what it grew to: the log holds the rest as it came.
      giveBack(body);
    }
  });
}

const mediaType = () =>
  new AppError('ingest.media_type', 'content-type must be application/x-protobuf or application/json', {
    status: 415,
    field: 'headers.content-type',
  });

function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const refusal = transportRefusal(error);
  if (refusal?.code === 'ingest.media_type') return mediaType();
  if (refusal !== null) return refusal;
  // Exporters repeat 503 and not 500.
  return new AppError('ingest.unavailable', 'the request could not be taken: send it again', {
    status: 503,
    retryable: true,
    cause: error,
  });
}

function answerStatus(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  signal: OtlpSignal,
  metrics: IngestMetrics,
): FastifyReply {
  const known = toAppError(error);
  // A fault of ours is never 500 here: 503 makes every exporter keep its data and come again.
  const status = known.status >= 500 ? 503 : known.status;
  metrics.request(signal, status);
  metrics.rejected(signal, known.code, 1, request.tenant?.id, known);
  if (status === 503) {
    request.log.error({ err: known, signal, correlationId: request.correlationId }, 'telemetry could not be taken');
  }
  const retryAfterSeconds = known.retryAfterSeconds ?? (status === 503 || status === 429 ? 1 : undefined);
  if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds);
  const contentType = contentTypeOf(request.headers['content-type']);
  const detail = known.status === 500 ? 'the request could not be taken: send it again' : known.message;
  return reply
    .code(status)
    .type(contentType)
    .send(statusBody(contentType, status, `${known.code}: ${detail}`, { retryAfterSeconds, field: known.field }));
}
