import { Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
} from 'fastify';
import { hasZodFastifySchemaValidationErrors, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';
import { AppError, toProblem } from '../contract/index.ts';
import { contentTypeOf, statusBody } from '../otlp/responses.ts';
import { answerBrokenRequests } from './broken-requests.ts';
import type { ServerConfig } from './config.ts';
import { lingerOnRefusal } from './lingering-close.ts';
import type { TlsSource } from './tls-files.ts';
import { answerUnknownRoutes } from './unknown-routes.ts';

/** Statuses of Fastify's own errors that are the client's; their codes become ours. */
const fastifyCodes: Readonly<Record<string, { status: number; code: string }>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: { status: 413, code: 'request.too_large' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { status: 415, code: 'request.media_type' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: { status: 400, code: 'request.content_length' },
  FST_ERR_CTP_EMPTY_JSON_BODY: { status: 400, code: 'request.body_missing' },
  FST_ERR_CTP_INVALID_JSON_BODY: { status: 400, code: 'request.malformed_json' },
  FST_ERR_BAD_URL: { status: 400, code: 'request.bad_url' },
};

/** How an application words a refusal: `problem` RFC 9457, `status` a `google.rpc.Status` in the request's own type. */
export type RefusalForm = 'problem' | 'status';

export interface AppOptions {
  readonly tls?: TlsSource | null;
  readonly refusals?: RefusalForm;
  readonly metrics?: Registry;
}

/** A Fastify application with the project's schema compilers, error answers, timeouts and request spans; nothing listens yet. */
export function createApp(config: ServerConfig, logger: Logger, options: AppOptions = {}): FastifyInstance {
  const { tls = null, refusals = 'problem' } = options;
  const timing = {
    headersTimeout: config.headersTimeoutSeconds * 1000,
    requestTimeout: config.requestTimeoutSeconds * 1000,
    connectionsCheckingInterval: config.connectionsCheckSeconds * 1000,
  };
  const brokenRequests = answerBrokenRequests((path) => formOf(refusals, path), brokenCounter(options.metrics));
  const app = fastify({
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1024 * 1024,
    requestTimeout: timing.requestTimeout,
    keepAliveTimeout: config.keepAliveTimeoutSeconds * 1000,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 300, ignoreTrailingSlash: true },
    clientErrorHandler: brokenRequests.answer,
    ...(tls === null ? { http: timing } : { https: { ...tls.current, ...timing } }),
  }) as unknown as FastifyInstance;
  tls?.onChange((material) => (app.server as HttpsServer).setSecureContext(material));
  brokenRequests.watch(app);
  lingerOnRefusal(app);
  // Many clients name JSON and send nothing on calls without a body; a route that wants one says so itself.
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) =>
    body === '' ? done(null, undefined) : parseJson(request, String(body), done),
  );
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) =>
    formOf(refusals, request.url) === 'status'
      ? answerStatus(error, request, reply)
      : answerError(error, request, reply),
  );
  // Fastify takes plain text by default; here a body is JSON unless a route says otherwise.
  app.removeContentTypeParser('text/plain');
  answerUnknownRoutes(app);
  traceRequests(app);
  return app;
}

/** One counter a registry for both applications. */
function brokenCounter(registry: Registry | undefined): (code: string) => void {
  if (registry === undefined) return () => {};
  const name = 'pulse_http_broken_requests_total';
  const known = registry.getSingleMetric(name);
  const counter =
    known instanceof Counter
      ? (known as Counter<'code'>)
      : new Counter({
          name,
          help: 'Requests answered below the routes: too slow, head too large, no HTTP',
          labelNames: ['code'],
          registers: [registry],
        });
  return (code) => counter.inc({ code });
}

/** OTLP is served on the API port too, and its senders read a Status wherever they send. */
function formOf(refusals: RefusalForm, url: string): RefusalForm {
  return /^\/v1\/(metrics|traces|logs)\b/.test(url) ? 'status' : refusals;
}

/** Answers any error as a `google.rpc.Status`; a fault of ours is 503, which exporters repeat, and never 500, which they give up on. */
export function answerStatus(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const converted = toAppError(error);
  const known = converted instanceof AppError && converted.status < 500 ? converted : null;
  const status = known?.status ?? 503;
  const passing = status === 503 || status === 429;
  const retryAfterSeconds =
    (converted instanceof AppError ? converted.retryAfterSeconds : undefined) ?? (passing ? 1 : undefined);
  if (known === null)
    request.log.error({ err: converted, url: request.url, correlationId: request.correlationId }, 'request failed');
  if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds);
  const contentType = contentTypeOf(request.headers['content-type']);
  const message = known === null ? 'the request could not be taken: send it again' : `${known.code}: ${known.message}`;
  return reply
    .code(status)
    .type(contentType)
    .serializer((body: Uint8Array) => body as unknown as string)
    .send(statusBody(contentType, status, message, { retryAfterSeconds, field: known?.field }));
}

/** Answers any error as RFC 9457 problem+json; what is unknown is logged with its cause and answered without it. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = toAppError(error);
  const problem = toProblem(known, request.correlationId);
  if (problem.status >= 500)
    request.log.error({ err: known, url: request.url, correlationId: request.correlationId }, 'request failed');
  if (known instanceof AppError && known.retryAfterSeconds !== undefined)
    reply.header('retry-after', known.retryAfterSeconds);
  return reply.code(problem.status).type('application/problem+json').serializer(JSON.stringify).send(problem);
}

/** The code that an error is answered with; null for what nobody expected. */
export function answeredCode(error: unknown): string | null {
  const known = toAppError(error);
  return known instanceof AppError ? known.code : null;
}

function toAppError(error: unknown): unknown {
  if (error instanceof AppError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const issues = error.validation.flatMap((issue) => {
      const at = issue.instancePath.split('/').filter((part) => part !== '');
      return closestIssues(issue.message ?? 'is not valid', issue.params['errors']).map(({ path, message }) => ({
        field: [error.validationContext ?? 'body', ...at, ...path].join('.'),
        message,
      }));
    });
    const text = issues.map((issue) => `${issue.field}: ${issue.message}`).join('; ');
    return new AppError('request.invalid', text, { status: 400, field: issues[0]?.field, context: { issues } });
  }
  const fastifyError = error as Partial<FastifyError>;
  const mapped = fastifyCodes[fastifyError.code ?? ''];
  if (mapped !== undefined)
    return new AppError(mapped.code, fastifyError.message ?? mapped.code, { status: mapped.status, cause: error });
  return error;
}

interface ShapeIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** A body of several shapes: the mistakes in the shape that it comes closest to, so that the message names a field. */
function closestIssues(message: string, shapes: unknown): readonly { path: string[]; message: string }[] {
  if (!Array.isArray(shapes) || shapes.length === 0) return [{ path: [], message }];
  const [first, ...others] = shapes as readonly (readonly ShapeIssue[])[];
  // A mistake deep inside means that the outer shape fitted; between equals the later, simpler shape is meant.
  const depth = (issues: readonly ShapeIssue[]) => Math.max(0, ...issues.map(({ path }) => path.length));
  const closest = others.reduce<readonly ShapeIssue[]>((best, issues) => {
    const deeper = depth(issues) - depth(best);
    return deeper > 0 || (deeper === 0 && issues.length <= best.length) ? issues : best;
  }, first ?? []);
  return closest.map((issue) => ({ path: issue.path.map(String), message: issue.message }));
}

/** One server span a request when tracing is on; without an SDK these calls cost nothing. */
function traceRequests(app: FastifyInstance): void {
  const tracer = trace.getTracer('pulse.http');
  const spans = new WeakMap<FastifyRequest, Span>();
  app.addHook('onRequest', async (request) => {
    const route = request.routeOptions.url ?? 'unmatched';
    spans.set(
      request,
      tracer.startSpan(`${request.method} ${route}`, {
        kind: SpanKind.SERVER,
        attributes: { 'http.request.method': request.method, 'http.route': route },
      }),
    );
  });
  app.addHook('onResponse', async (request, reply) => {
    const span = spans.get(request);
    if (span === undefined) return;
    span.setAttribute('http.response.status_code', reply.statusCode);
    if (reply.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  });
}

/**
 * Listens and answers the address.
 *
 * *Errors* `server.port_taken`, `server.address` – the message names the port and the variable that sets it.
 */
export async function listen(app: FastifyInstance, host: string, port: number, variable: string): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    throw listenError(cause, host, port, variable);
  }
  const address = app.server.address() as AddressInfo;
  const scheme = app.server instanceof HttpsServer ? 'https' : 'http';
  const shownHost = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `${scheme}://${shownHost}:${address.port}`;
}

/** The coded error of a listener that could not listen; an error that says nothing about the address stays as it is. */
export function listenError(cause: unknown, host: string, port: number, variable: string): unknown {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'EADDRINUSE') {
    return new AppError(
      'server.port_taken',
      `port ${port} on ${host} is taken by another process: stop it, or set ${variable}`,
      { cause },
    );
  }
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new AppError(
      'server.address',
      `cannot listen on ${host}:${port} (${code}): check PULSE_HOST and ${variable}`,
      { cause },
    );
  }
  return cause;
}
