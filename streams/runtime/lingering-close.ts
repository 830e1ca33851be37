import type { FastifyInstance } from 'fastify';

/** What a sender may still have under way when it is refused: the largest request any tenant may be allowed, and some more. */
const lingerBytes = 300 * 1024 * 1024;

/**
 * Lets every sender read its refusal: what is still to come of a refused body is read and thrown away, then the connection goes on.
 *
 * Closing at once would reset the connection, and a reset takes answers with it that the sender has not read yet.
 *
 * *Bias* a sender that goes on above 300 MiB, or longer than the request timeout, is cut off. *Source* RFC 9112 §9.6.
 */
export function lingerOnRefusal(app: FastifyInstance, mostBytes = lingerBytes): void {
  app.addHook('onSend', async (request, reply) => {
    const { raw } = request;
    // An injected request of a test has no connection.
    if (raw.complete !== false) return;
    reply.removeHeader('connection');
    let left = mostBytes;
    raw.on('data', (chunk: Uint8Array) => {
      left -= chunk.length;
      if (left < 0) raw.destroy();
    });
    raw.resume();
  });
}
