import type { FastifyInstance } from 'fastify';
import { AppError } from 'streams/contract';

/**
 * Refuses bodies with a content encoding on every route of this scope: JSON is taken as it is, and a compressed one would be called malformed.
 *
 * *Errors* `ingest.encoding_unsupported` (415).
 */
export function requirePlainBodies(app: FastifyInstance): void {
  app.addHook('onRequest', async (request) => {
    const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? '';
    if (encoding === '' || encoding === 'identity') return;
    throw new AppError('ingest.encoding_unsupported', 'this body is taken without content-encoding', {
      status: 415,
      field: 'headers.content-encoding',
    });
  });
}
