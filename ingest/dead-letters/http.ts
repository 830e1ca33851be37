import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { DeadLetter, DeadLetterId } from 'streams/contract';
import { z } from 'zod';
import type { DeadLetters } from './dead-letters.ts';

/** A letter holds what somebody sent, whoever that was: `approve` is the platform operator's alone. */
const permission = { resource: 'telemetry', action: 'approve', tenant: 'none' } as const;
const params = z.object({ letter: DeadLetterId });

/** Routes of single dead letters; the list is part of the read side. */
export function deadLetterRoutes(letters: DeadLetters): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/api/v1/telemetry/dead-letters/:letter',
      {
        config: { permission },
        schema: {
          tags: ['telemetry'],
          summary: 'A record that could not be stored, with its bytes and what became of its replay',
          params,
          response: { 200: DeadLetter },
        },
      },
      (request) => letters.read(request.params.letter),
    );
    app.post(
      '/api/v1/telemetry/dead-letters/:letter/replay',
      {
        config: { permission },
        schema: {
          tags: ['telemetry'],
          summary: 'Put a record that could not be stored on the log again',
          params,
          response: { 200: DeadLetter },
        },
      },
      (request) =>
        letters.replay(request.params.letter, { id: request.principal.id, correlationId: request.correlationId }),
    );
  };
}
