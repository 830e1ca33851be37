import { pino } from 'pino';
import { accessPlugin, type Principal, type TenantDirectory } from 'streams/access';
import type { TenantRecord } from 'streams/contract';
import { createApp, ServerConfig } from 'streams/runtime';
import type { Store } from 'streams/store';
import { tenantRecord } from '../../testing/engine-fixture.ts';
import { telemetryRoutes } from '../http.ts';

type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/** The routes over a store without a network; a token is `operator` or the number of a tenant. */
export interface ReadServer {
  /** Asks as a tenant; a body in lines is split and parsed. */
  get<T = Record<string, unknown>>(
    tenant: number | 'operator',
    path: string,
    query?: Query,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: T; text: string; headers: Record<string, unknown> }>;
  listen(): Promise<string>;
  close(): Promise<void>;
}

/** A server of a test over a started store, at a fixed time. */
export async function openReadServer(
  store: Store,
  nowMs: number,
  tenantNumbers: readonly number[],
): Promise<ReadServer> {
  const records = new Map<string, TenantRecord>(tenantNumbers.map((n) => [`isp-${n}`, tenantRecord(n)]));
  const tenants: TenantDirectory = {
    byId: (id) => records.get(id),
    byNumber: (number) => records.get(`isp-${number}`),
    list: () => [...records.values()],
    refresh: async () => undefined,
  };
  const principal = (token: string): Principal | null => {
    if (token === 'operator') return { role: 'operator', id: 'operator', tenantId: null, partnerId: null, scopes: [] };
    if (!records.has(token)) return null;
    return { role: 'tenant', id: `key:${token}`, tenantId: token, partnerId: null, scopes: [] };
  };
  const app = createApp(ServerConfig.parse({}), pino({ level: 'silent' }));
  app.register(accessPlugin({ access: { authenticate: async (token) => principal(token) }, tenants }));
  app.register(telemetryRoutes({ store, tenants, clock: { now: () => nowMs } }));
  await app.ready();
  return {
    async get(tenant, path, query = {}, headers = {}) {
      const search = new URLSearchParams();
      for (const [name, value] of Object.entries(query)) {
        for (const one of [value ?? []].flat()) search.append(name, String(one));
      }
      const token = tenant === 'operator' ? tenant : `isp-${tenant}`;
      const answer = await app.inject({
        method: 'GET',
        url: `/api/v1/telemetry/${path}?${search}`,
        headers: { authorization: `Bearer ${token}`, ...headers },
      });
      const lines = String(answer.headers['content-type']).includes('ndjson');
      const body = lines
        ? answer.body
            .split('\n')
            .filter((line) => line !== '')
            .map((line) => JSON.parse(line))
        : JSON.parse(answer.body);
      return { status: answer.statusCode, body: body as never, text: answer.body, headers: answer.headers };
    },
    listen: () => app.listen({ host: '127.0.0.1', port: 0 }),
    close: () => app.close(),
  };
}
