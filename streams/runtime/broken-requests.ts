import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { AppError, toProblem } from '../contract/index.ts';
import { contentTypeOf, statusBody } from '../otlp/responses.ts';

/** What a connection's parser found wrong, by Node's code; anything else it finds is a malformed request. */
const refusals = new Map<string, { status: number; code: string; message: string }>([
  ['ERR_HTTP_REQUEST_TIMEOUT', { status: 408, code: 'request.timeout', message: 'the request did not arrive in time' }],
  ['HPE_HEADER_OVERFLOW', { status: 431, code: 'request.headers_too_large', message: 'the headers are too large' }],
]);
const malformed = { status: 400, code: 'request.malformed', message: 'this is not an HTTP/1.1 request' };

interface BrokenRequests {
  /** Fastify's `clientErrorHandler`. */
  readonly answer: (error: NodeJS.ErrnoException, socket: Socket) => void;
  /** Remembers which request a connection carries, so that the refusal comes in its type. */
  watch(app: FastifyInstance): void;
}

/**
 * Answers requests that break off below the application: too slow, too large in the head, or no HTTP.
 *
 * *Errors* `request.timeout` (408), `request.headers_too_large` (431), `request.malformed` (400); the connection is closed after the answer.
 */
export function answerBrokenRequests(
  formOf: (url: string) => 'problem' | 'status',
  onAnswer: (code: string) => void = () => {},
): BrokenRequests {
  const carried = new WeakMap<Socket, FastifyReply>();
  return {
    watch(app) {
      app.addHook('onRequest', async (request, reply) => {
        carried.set(request.raw.socket, reply);
      });
    },
    answer(error, socket) {
      const reply = carried.get(socket);
      const current = reply !== undefined && !reply.raw.writableEnded ? reply : undefined;
      if (error.code === 'ECONNRESET' || !socket.writable || current?.raw.headersSent === true) {
        socket.destroy(error);
        return;
      }
      const refusal = refusals.get(error.code ?? '') ?? malformed;
      onAnswer(refusal.code);
      const { type, body } = bodyOf(refusal, current, formOf);
      const head = [
        `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`,
        `content-type: ${type}`,
        `content-length: ${body.length}`,
        'connection: close',
      ];
      socket.write(`${head.join('\r\n')}\r\n\r\n`);
      socket.end(body, () => socket.destroy());
    },
  };
}

function bodyOf(
  refusal: { status: number; code: string; message: string },
  current: FastifyReply | undefined,
  formOf: (url: string) => 'problem' | 'status',
): { type: string; body: Uint8Array } {
  const { status, code, message } = refusal;
  if (formOf(current?.request.url ?? '') === 'problem') {
    const problem = toProblem(new AppError(code, message, { status }), current?.request.correlationId);
    return { type: 'application/problem+json', body: Buffer.from(JSON.stringify(problem)) };
  }
  const type = contentTypeOf(current?.request.headers['content-type']);
  return { type, body: statusBody(type, status, `${code}: ${message}`) };
}
