import { type Readable, Transform, type TransformCallback } from 'node:stream';
import type { FastifyInstance, FastifyRequest, RequestPayload } from 'fastify';
import { AppError, invariant } from 'streams/contract';
import type { Admission, Ticket } from './admission.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the request holds of the door while its handler has not taken it over. */
    ticket: Ticket | null;
  }
}

/**
 * Makes every route of this scope ask the admission before a body is read, with the declared length.
 *
 * *Shape* the handler takes the ticket over by {@link withTicket}; a request that never reaches its handler gives it back when it is answered or its connection ends.
 */
export function admitRequests(app: FastifyInstance, admission: Admission, maxBodyBytes: number): void {
  app.decorateRequest('ticket', null);
  app.addHook('preParsing', async (request, reply, payload): Promise<RequestPayload | undefined> => {
    if (request.tenant === null) return;
    const declared = Number(request.headers['content-length'] ?? 0);
    // A larger one is refused by its length before anything is read.
    if (!(declared <= maxBodyBytes)) return;
    const { tenant, principal } = request;
    const ticket = admission.enter({ tenant, principal }, declared);
    request.ticket = ticket;
    // A connection that is cut before its body is complete is never answered.
    reply.raw.once('close', () => request.ticket?.leave());
    return request.headers['transfer-encoding'] === undefined ? undefined : measured(payload, ticket, maxBodyBytes);
  });
  app.addHook('onResponse', async (request) => request.ticket?.leave());
}

/** A body in chunks says nothing of its length: it is counted while it comes, and ends where it is too much. */
class MeasuredBody extends Transform {
  /** Read by Fastify for its own bound. */
  receivedEncodedLength = 0;
  readonly #ticket: Ticket;
  readonly #maxBytes: number;

  constructor(ticket: Ticket, maxBytes: number) {
    super();
    this.#ticket = ticket;
    this.#maxBytes = maxBytes;
  }

  override _transform(chunk: Uint8Array, _encoding: string, done: TransformCallback): void {
    this.receivedEncodedLength += chunk.length;
    try {
      this.#ticket.arrive(chunk.length);
      if (this.receivedEncodedLength > this.#maxBytes) throw tooLarge(this.#maxBytes);
    } catch (error) {
      done(error as Error);
      return;
    }
    done(null, chunk);
  }
}

const tooLarge = (limit: number) =>
  new AppError('ingest.too_large', `a body may have ${limit} bytes`, { status: 413, context: { limit } });

/** Not `pipeline`: that would destroy the connection, and with it the answer. */
function measured(payload: Readable, ticket: Ticket, maxBytes: number): RequestPayload {
  const body = new MeasuredBody(ticket, maxBytes);
  payload.once('error', (error) => body.destroy(error));
  return payload.pipe(body);
}

/** Runs the rest of a request under its ticket and gives the ticket back at the end, also when the sender is gone by then. */
export async function withTicket<T>(request: FastifyRequest, run: (ticket: Ticket) => Promise<T>): Promise<T> {
  const { ticket } = request;
  invariant(ticket, 'the route stands in a scope of admitRequests');
  request.ticket = null;
  try {
    return await run(ticket);
  } finally {
    ticket.leave();
  }
}
