import { readFileSync } from 'node:fs';
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
import { AppError, toProblem } from '../contract/index.ts';
import type { ServerConfig } from './config.ts';
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

/** A Fastify application with the project's schema compilers, error answers, timeouts and request spans; nothing listens yet. */
export function createApp(config: ServerConfig, logger: Logger): FastifyInstance {
  const app = fastify({
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1024 * 1024,
    requestTimeout: 60_000,
    keepAliveTimeout: 72_000,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 300, ignoreTrailingSlash: true },
    ...(config.tlsCert === undefined || config.tlsKey === undefined
      ? {}
      : { https: { cert: readFileSync(config.tlsCert), key: readFileSync(config.tlsKey) } }),
  }) as unknown as FastifyInstance;
  // Many clients name JSON and send nothing on calls without a body; a route that wants one says so itself.
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) =>
    body === '' ? done(null, undefined) : parseJson(request, String(body), done),
  );
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply));
  // Fastify takes plain text by default; here a body is JSON unless a route says otherwise.
  app.removeContentTypeParser('text/plain');
  answerUnknownRoutes(app);
  traceRequests(app);
  return app;
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
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'EADDRINUSE') {
      throw new AppError(
        'server.port_taken',
        `port ${port} on ${host} is taken by another process: stop it, or set ${variable}`,
        { cause },
      );
    }
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new AppError(
        'server.address',
        `cannot listen on ${host}:${port} (${code}): check PULSE_HOST and ${variable}`,
        { cause },
      );
    }
    throw cause;
  }
  const address = app.server.address() as AddressInfo;
  const scheme = app.server instanceof HttpsServer ? 'https' : 'http';
  const shownHost = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `${scheme}://${shownHost}:${address.port}`;
}
