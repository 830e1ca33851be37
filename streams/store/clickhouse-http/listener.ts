import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import type { Access, Principal } from '../../access/port.ts';
import { AppError } from '../../contract/index.ts';
import { listenError } from '../../runtime/http-server.ts';
import type { GatewayListener, ListenAt } from '../../runtime/module.ts';
import { type AnswerFrame, sendAnswer, sendException } from './answer.ts';
import { readCredential } from './credential.ts';
import { type Exception, Refusal, toException } from './exceptions.ts';
import { type HttpQuery, readHttpQuery } from './http-query.ts';
import { type Answer, isAbort } from './statement-runner.ts';

/** What runs the statements of authenticated callers. */
export interface StatementService {
  /** Answers, or throws what {@link toException} words. *Shape* everything that the answer holds is free once `use` has ended. */
  serve(
    call: {
      readonly request: IncomingMessage;
      readonly query: HttpQuery;
      readonly principal: Principal;
      readonly signal: AbortSignal;
    },
    use: (answer: Answer & { readonly format: string; readonly written?: number }) => Promise<void>,
  ): Promise<void>;
}

export interface ListenerOptions {
  readonly service: StatementService;
  readonly access: Access;
  readonly logger: Logger;
  readonly frame: () => Promise<AnswerFrame>;
  /** Loopback addresses only: a statement here may do anything. */
  readonly loopbackOnly: boolean;
  /** Told each answered request; for metrics. */
  readonly onAnswer?: (outcome: 'ok' | 'refused' | 'failed', seconds: number) => void;
}

const loopback = new Set(['127.0.0.1', '::1', 'localhost']);
/** Requests in hand may take so long once the process stops. */
const drainMs = 20_000;

/** A server of ClickHouse's HTTP interface, opened and closed by the gateway. */
export function createClickhouseListener(options: ListenerOptions): GatewayListener {
  let server: ReturnType<typeof createServer> | TlsServer | undefined;
  const onRequest = (request: IncomingMessage, response: ServerResponse) => void handle(options, request, response);

  return {
    address: 'clickhouseHttp',
    async listen(at) {
      if (options.loopbackOnly && !loopback.has(at.host)) {
        throw new AppError(
          'config.invalid',
          `the store's ClickHouse interface may write anything and listens on loopback only: set PULSE_HOST=127.0.0.1, or run a ClickHouse server`,
          { status: 400, field: 'server.host' },
        );
      }
      const timing = {
        headersTimeout: 15_000,
        requestTimeout: options.loopbackOnly ? 600_000 : 60_000,
        keepAliveTimeout: 72_000,
      };
      server =
        at.tls === null
          ? createServer(timing, onRequest)
          : createTlsServer({ ...at.tls.current, ...timing }, onRequest);
      const tls = server as TlsServer;
      at.tls?.onChange((material) => tls.setSecureContext(material));
      return bind(server, at);
    },
    async drain() {
      if (server === undefined) return;
      const closing = server;
      const deadline = setTimeout(() => closing.closeAllConnections(), drainMs);
      const idle = setInterval(() => closing.closeIdleConnections(), 50);
      await new Promise<void>((resolve) => closing.close(() => resolve()));
      clearTimeout(deadline);
      clearInterval(idle);
    },
  };
}

async function bind(server: ReturnType<typeof createServer>, at: ListenAt): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, at.host, at.port, at.variable) as Error));
    server.listen(at.port, at.host, resolve);
  });
  const address = server.address() as AddressInfo;
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `${at.tls === null ? 'http' : 'https'}://${host}:${address.port}`;
}

const ok = (response: ServerResponse) => {
  response.writeHead(200, { 'content-type': 'text/html; charset=UTF-8' });
  response.end('Ok.\n');
};

async function handle(options: ListenerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const startedAt = performance.now();
  let query: HttpQuery | null = null;
  const gone = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  const frame = await options.frame();
  const seconds = () => (performance.now() - startedAt) / 1000;
  const fail = (exception: Exception, error: unknown) => {
    const refused = error instanceof Refusal;
    options.onAnswer?.(refused ? 'refused' : 'failed', seconds());
    if (!response.headersSent) sendException(request, response, frame, query, exception);
    else response.destroy();
  };
  try {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (url.pathname === '/ping' || url.pathname === '/replicas_status') return ok(response);
    if (url.pathname !== '/')
      throw new Refusal(46, 'UNKNOWN_FUNCTION', 'There is no such path here: statements go to /');
    if (request.method !== 'GET' && request.method !== 'POST')
      throw new Refusal(48, 'NOT_IMPLEMENTED', 'statements come by GET or POST');
    if (request.method === 'GET' && !url.searchParams.has('query')) return ok(response);
    const principal = await authenticate(options.access, request, url);
    const read = readHttpQuery(request, url);
    query = read;
    await options.service.serve({ request, query: read, principal, signal: gone.signal }, (answer) =>
      sendAnswer(request, response, frame, read, answer, toException, startedAt),
    );
    options.onAnswer?.('ok', seconds());
  } catch (error) {
    if (gone.signal.aborted || isAbort(error)) return void response.destroy();
    const exception = toException(error);
    if (exception.code === 1002) options.logger.error({ err: error }, 'a statement of the ClickHouse interface failed');
    fail(exception, error);
  }
}

async function authenticate(access: Access, request: IncomingMessage, url: URL): Promise<Principal> {
  const credential = readCredential(request, url);
  if (credential === null) {
    throw new Refusal(
      194,
      'REQUIRED_PASSWORD',
      'Authentication failed: give the operator token or a tenant key as the password, or as a bearer token',
    );
  }
  const principal = await access.authenticate(credential);
  if (principal !== null) return principal;
  throw new Refusal(
    516,
    'AUTHENTICATION_FAILED',
    'Authentication failed: password is incorrect, or there is no user with such name',
  );
}
