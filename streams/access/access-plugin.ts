import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { Counter, type Registry } from 'prom-client';
import { AppError, invariant } from '../contract/index.ts';
import { admit, refuseForeignNames } from './permission.ts';
import type { Access, LimitsDirectory, Principal, RoutePermission, TenantDirectory } from './port.ts';
import { createReadLimit } from './read-limit.ts';

/** A route and what it asks of its caller. */
export interface DeclaredRoute {
  readonly method: string;
  readonly url: string;
  readonly permission: RoutePermission;
}

const routesOf = new WeakMap<object, DeclaredRoute[]>();
const routesKey = 'pulseDeclaredRoutes';

/** Every route registered after the plugin, for the matrix test and for documentation. Automatic HEAD routes are left out. */
export function declaredRoutes(app: FastifyInstance): readonly DeclaredRoute[] {
  const marker = (app as unknown as Record<string, object | undefined>)[routesKey];
  const routes = marker === undefined ? undefined : routesOf.get(marker);
  invariant(routes, 'the access plugin is not registered on this application');
  return routes;
}

const sanePattern = /^[A-Za-z0-9._:-]{1,64}$/;

/** The caller's `x-correlation-id` when it is harmless to log and to echo, else a new one. */
function correlationIdOf(request: FastifyRequest): string {
  const given = request.headers['x-correlation-id'];
  return typeof given === 'string' && sanePattern.test(given) ? given : randomUUID();
}

function bearerOf(request: FastifyRequest): string | null {
  return /^Bearer +([\x21-\x7e]{1,512})$/i.exec(request.headers.authorization ?? '')?.[1] ?? null;
}

function unauthenticated(reply: FastifyReply): AppError {
  reply.header('www-authenticate', 'Bearer');
  return new AppError('access.unauthenticated', 'a valid bearer token is needed', { status: 401 });
}

function requireDeclaration(route: RouteOptions): RoutePermission {
  const permission = route.config?.permission;
  if (permission === undefined) {
    throw new AppError(
      'access.permission_missing',
      `route ${String(route.method)} ${route.url} declares no config.permission`,
    );
  }
  return permission;
}

/**
 * Guards every route of an application: a route without `config.permission` cannot be registered, a request without a valid token or beyond its rights never reaches its handler.
 *
 * *Shape* sets `request.correlationId` always, `principal`, `tenant` and `rowScope` on every route that is not public. Applies to the instance it is registered on and all below.
 * *Errors* `access.unauthenticated` (401), `access.read_limit` (429), those of {@link admit}, `control.unavailable` (503) when a key cannot be checked.
 */
export function accessPlugin(deps: {
  readonly access: Access;
  readonly tenants: TenantDirectory;
  readonly metrics?: Registry;
  /** Without them reading is not bounded. */
  readonly limits?: LimitsDirectory;
}): FastifyPluginAsync {
  const { access, tenants } = deps;
  const refused = refusalCounter(deps.metrics);
  const limitReads = deps.limits === undefined ? null : createReadLimit(deps.limits, () => performance.now());

  const plugin: FastifyPluginAsync = async (app) => {
    const routes: DeclaredRoute[] = [];
    const marker = {};
    routesOf.set(marker, routes);
    app.decorate(routesKey, marker);
    app.decorateRequest('correlationId', '');
    // Typed as always present; a public route's handler has no business with them.
    app.decorateRequest('principal', null as unknown as Principal);
    app.decorateRequest('tenant', null);
    app.decorateRequest('rowScope', null as never);

    app.addHook('onRoute', (route) => {
      const permission = requireDeclaration(route);
      for (const method of [route.method].flat()) {
        if (method !== 'HEAD') routes.push({ method, url: route.url, permission });
      }
    });

    app.addHook('onRequest', async (request, reply) => {
      request.correlationId = correlationIdOf(request);
      reply.header('x-correlation-id', request.correlationId);
      if (request.is404) return;
      // Also reached by a route that was registered before this plugin: refused, never let through.
      const permission = requireDeclaration({
        ...request.routeOptions,
        url: request.routeOptions.url ?? '',
      } as RouteOptions);
      if (permission === 'public') return;
      const token = bearerOf(request);
      const principal = token === null ? null : await access.authenticate(token);
      if (principal === null) throw unauthenticated(reply);
      if (permission.action === 'read') limitReads?.(principal, reply);
      // A key made a moment ago by another process can be ahead of the directory.
      if (principal.tenantId !== null && tenants.byId(principal.tenantId) === undefined) await tenants.refresh();
      const admission = admit(principal, permission, request, tenants);
      refuseForeignNames(
        principal,
        { query: request.query, params: request.params, headers: request.headers },
        tenants,
      );
      request.principal = principal;
      request.tenant = admission.tenant;
      request.rowScope = admission.rowScope;
    });

    app.addHook('preValidation', async (request) => {
      if (request.principal !== null) refuseForeignNames(request.principal, { body: request.body }, tenants);
    });

    app.addHook('onError', async (_request, _reply, error) => {
      if (error instanceof AppError && error.code.startsWith('access.')) refused?.inc({ code: error.code });
    });
  };
  // What fastify-plugin does: no scope of its own, so that the hooks hold for the whole application.
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: 'pulse-access',
  });
}

/** One counter a registry, although the plugin stands on two applications. */
function refusalCounter(registry: Registry | undefined): Counter<'code'> | undefined {
  if (registry === undefined) return undefined;
  const name = 'pulse_access_refused_total';
  const existing = registry.getSingleMetric(name);
  if (existing instanceof Counter) return existing as Counter<'code'>;
  return new Counter({
    name,
    help: 'Requests refused by the access check',
    labelNames: ['code'],
    registers: [registry],
  });
}
