import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError, BackupList, BackupRun, PageQuery } from '../contract/index.ts';
import type { BackupService } from './backup-service.ts';

const write = { permission: { resource: 'platform', action: 'write', tenant: 'none' } } as const;
const read = { permission: { resource: 'platform', action: 'read', tenant: 'none' } } as const;
const NewBackup = z.strictObject({
  /** Absolute path on the server's machine; the configured one when left out. */
  directory: z.string().min(1).max(1000).optional(),
});

/** `POST /api/v1/backups`, `GET` of all and of one. *Errors* see the folder's README. */
export function backupRoutes(service: () => BackupService, configured: string | undefined): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'POST',
      url: '/api/v1/backups',
      schema: {
        tags: ['maintenance'],
        summary: 'Takes a backup on the machine of the server, and restores it for trial',
        body: NewBackup,
        response: { 202: BackupRun },
      },
      config: write,
      handler: async ({ body, principal, correlationId }, reply) => {
        const directory = body.directory ?? configured;
        if (directory === undefined)
          throw new AppError('backup.directory_invalid', 'name a directory, or configure backup.directory', {
            status: 400,
            field: 'directory',
          });
        return reply.code(202).send(await service().start({ id: principal.id, correlationId }, { directory }));
      },
    });
    app.route({
      method: 'GET',
      url: '/api/v1/backups',
      schema: {
        tags: ['maintenance'],
        summary: 'Backups, newest first, and the last one that a trial restore found whole',
        querystring: PageQuery,
        response: { 200: BackupList },
      },
      config: read,
      handler: async ({ query }) => ({
        items: await service().list(query.limit),
        nextCursor: null,
        lastVerifiedBackup: await service().lastVerified(),
      }),
    });
    app.route({
      method: 'GET',
      url: '/api/v1/backups/:id',
      schema: {
        tags: ['maintenance'],
        summary: 'How a backup stands',
        params: z.object({ id: z.string().max(60) }),
        response: { 200: BackupRun },
      },
      config: read,
      handler: async (request) => service().find(request.params.id),
    });
  };
}
