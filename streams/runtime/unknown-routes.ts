import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../contract/index.ts';

/** Answers a page for a link into the portal, or undefined when the request wants none. */
type PageFallback = (request: FastifyRequest, reply: FastifyReply) => FastifyReply | undefined;

const pages = new WeakMap<object, PageFallback>();

/**
 * Answers what no route takes: 405 with `allow` when the path is served under another method, otherwise a page where one is set, otherwise 404. Call before any route is registered.
 *
 * *Errors* `request.method`, `request.not_found`.
 */
export function answerUnknownRoutes(app: FastifyInstance): void {
  const served: { readonly method: string; readonly path: RegExp }[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    // The wildcard of static files would claim paths that were never meant.
    if (url.includes('*')) return;
    const path = new RegExp(`^${url.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll(/:\w+/g, '[^/]+')}/?$`);
    for (const one of [method].flat()) served.push({ method: one, path });
  });
  app.setNotFoundHandler(async (request, reply) => {
    const at = request.url.split('?', 1)[0] ?? '';
    const allowed = new Set(served.filter(({ path }) => path.test(at)).map(({ method }) => method));
    if (allowed.size > 0) {
      const methods = [...allowed].sort().join(', ');
      reply.header('allow', methods);
      throw new AppError('request.method', `${at} takes ${methods}, not ${request.method}`, { status: 405 });
    }
    const page = pages.get(app)?.(request, reply);
    if (page !== undefined) return page;
    throw new AppError('request.not_found', `there is no ${request.method} ${at}`, { status: 404 });
  });
}

/** Sets the page that stands in for unknown paths of an application. */
export function setPageFallback(app: FastifyInstance, page: PageFallback): void {
  pages.set(app, page);
}
