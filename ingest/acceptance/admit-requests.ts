import type { FastifyInstance, FastifyRequest } from 'fastify';
import { invariant } from 'streams/contract';
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
  app.addHook('preParsing', async (request, reply) => {
    if (request.tenant === null) return;
    const declared = Number(request.headers['content-length'] ?? 0);
    // A larger one is refused by its length before anything is read.
    if (!(declared <= maxBodyBytes)) return;
    const { tenant, principal } = request;
    const ticket = admission.enter({ tenant, principal }, declared);
    request.ticket = ticket;
    // A connection that is cut before its body is complete is never answered.
    reply.raw.once('close', () => request.ticket?.leave());
  });
  app.addHook('onResponse', async (request) => request.ticket?.leave());
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
