import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { AppError } from '../contract/index.ts';
import { defineModule, type ModuleDefinition, type Readiness } from './module.ts';
import { setPageFallback } from './unknown-routes.ts';

/** Only what the portal ships may run; styles from its own files. */
const contentSecurityPolicy =
  "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

const building = `<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="2"><title>DotMac Pulse</title>
<body style="font:16px/1.5 system-ui;margin:15vh auto;max-width:32rem;padding:0 1rem"><h1 style="font-size:20px">The portal is being built</h1>
<p>This happens once after an install or an update and takes some seconds. The page opens by itself; the API and ingest are running already.</p>`;

/**
 * Module `web`: serves the built portal at `/`, building it in the background when its sources changed.
 *
 * *Shape* `build` answers the folder with `index.html` and `assets/`; unknown paths outside the API answer `index.html`, so that links into the portal work.
 */
export function pageModule(options: { readonly dir: string; build(): Promise<{ built: boolean }> }): ModuleDefinition {
  return defineModule({
    name: 'web',
    description: 'the portal at /',
    requires: ['http'],
    config: z.object({}),
    create(_config, services) {
      let state: Readiness = { ready: false, reason: 'the portal is being built' };
      let failure: string | undefined;
      mkdirSync(options.dir, { recursive: true });
      servePages(services.http, options.dir, () => ({ built: state.ready, failure }));
      return {
        async start() {
          options.build().then(
            () => {
              state = { ready: true };
            },
            (error: unknown) => {
              failure = error instanceof Error ? error.message : String(error);
              state = { ready: false, reason: `the portal could not be built: ${failure}` };
              services.logger.error({ err: error }, 'the portal could not be built');
            },
          );
        },
        ready: () => state,
        async stop() {},
      };
    },
  });
}

function servePages(
  app: FastifyInstance,
  dir: string,
  state: () => { built: boolean; failure: string | undefined },
): void {
  app.register(fastifyStatic, { root: dir, serve: false, index: false });
  const page = (reply: FastifyReply) => {
    const { built, failure } = state();
    reply.headers({
      'content-security-policy': contentSecurityPolicy,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-cache',
    });
    if (failure !== undefined)
      throw new AppError('web.not_built', `the portal could not be built: ${failure}`, { status: 500 });
    if (!built || !existsSync(join(dir, 'index.html'))) {
      // A page without scripts, styled in place.
      reply.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'");
      return reply.type('text/html').send(building);
    }
    return reply.type('text/html').sendFile('index.html', { cacheControl: false });
  };
  const open = { config: { permission: 'public' as const }, schema: { hide: true } as object };
  app.register(async (pages) => {
    pages.get('/', open, async (_request, reply) => page(reply));
    pages.get<{ Params: { '*': string } }>('/assets/*', open, async (request, reply) =>
      reply
        .header('cache-control', 'public, max-age=31536000, immutable')
        .header('x-content-type-options', 'nosniff')
        .sendFile(`assets/${request.params['*']}`, { cacheControl: false }),
    );
  });
  setPageFallback(app, (request, reply) => {
    const wantsPage = request.method === 'GET' && !/^\/(api|v1|assets)(\/|$)/.test(request.url);
    return wantsPage && (request.headers.accept ?? '').includes('text/html') ? page(reply) : undefined;
  });
}
