import { join } from 'node:path';
import { expect } from 'vitest';
import { call, createTenant, type PulseProcess, startPulse } from '../pulse-process.ts';

const hook = join(import.meta.dirname, 'testing/without-tenant-filter.ts');

/** Routes that answer rows of the control plane, asked for another tenant. */
const routes = (tenant: string): readonly string[] => [
  `/api/v1/tenants/${tenant}`,
  '/api/v1/tenants',
  `/api/v1/tenants/${tenant}/api-keys`,
  `/api/v1/events?tenant=${tenant}`,
  `/api/v1/decisions?tenant=${tenant}`,
  `/api/v1/audit?tenant=${tenant}`,
];

/**
 * C29: the program without its own tenant checks, asked by one tenant for the rows of another.
 *
 * *Source* C29: the database layer still blocks, 0 rows. Rows of the store are not part of it: the embedded engine knows no row policies.
 */
export async function expectDatabaseToBlock(environment: Readonly<Record<string, string>> = {}): Promise<void> {
  const start = (nodeArgs: readonly string[]) =>
    startPulse({
      nodeArgs,
      environment,
      args: ['--target=access-api,control-api,events-api,orchestrator-api,gateway'],
    });
  const mutant = await start([`--import=${hook}`]);
  try {
    expect(mutant.output()).toContain('mutant: no tenant filter');
    const { key } = await seed(mutant);
    for (const route of routes('foreign-isp')) {
      // The operator sees the rows there: the route would show them.
      const all = await call(mutant, route);
      expect({ route, status: all.status, shown: JSON.stringify(all.body).includes('foreign-isp') }).toMatchObject({
        status: 200,
        shown: !route.includes('decisions'),
      });
      const own = await call(mutant, route, { token: key });
      // The application let it through: what holds is the database. A single row that is not visible is refused as unknown.
      expect({ route, status: own.status }).toEqual({ route, status: route.endsWith('/foreign-isp') ? 403 : 200 });
      expect({ route, body: JSON.stringify(own.body).replaceAll('access to this tenant', '') }).toEqual({
        route,
        body: expect.not.stringContaining('foreign'),
      });
    }
    expect(JSON.stringify((await call(mutant, '/api/v1/tenants', { token: key })).body)).toContain('own-isp');
  } finally {
    await mutant.stop();
  }
}

async function seed(pulse: PulseProcess): Promise<{ key: string }> {
  const key = await createTenant(pulse, { id: 'own-isp' });
  await createTenant(pulse, { id: 'foreign-isp' });
  return { key };
}
