import { chmodSync, chownSync, copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { type LocalPostgresServer, startByScript } from 'streams/control/test-postgres-server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestCertificate, writeCertificate } from '../certificate.ts';
import { call, createTenant, startPulse, until } from '../pulse-process.ts';
import { expectDatabaseToBlock } from '../security/mutation-build.ts';

const dir = mkdtempSync(join(tmpdir(), 'pulse-postgres-tls-'));
let postgres: LocalPostgresServer;
let certificate: TestCertificate;
let admin: Client;
let databases = 0;

beforeAll(async () => {
  postgres = startByScript();
  certificate = await writeCertificate(dir);
  const { uid, gid } = statSync(postgres.dataDir);
  for (const [from, name] of [
    [certificate.certFile, 'server.crt'],
    [certificate.keyFile, 'server.key'],
  ] as const) {
    const file = join(postgres.dataDir, name);
    copyFileSync(from, file);
    chmodSync(file, 0o600);
    chownSync(file, uid, gid);
  }
  admin = new Client({ connectionString: postgres.url.href });
  await admin.connect();
  await admin.query('ALTER SYSTEM SET ssl = on');
  await admin.query('SELECT pg_reload_conf()');
});
afterAll(async () => {
  await admin.end();
  await postgres.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function database(query = ''): Promise<string> {
  databases += 1;
  await admin.query(`CREATE DATABASE pulse_${databases}`);
  return Object.assign(new URL(postgres.url), { pathname: `/pulse_${databases}`, search: query }).href;
}

describe('the program on a PostgreSQL server', () => {
  test('C29: a build without the tenant filter of the application shows no foreign row', async () => {
    await expectDatabaseToBlock({ PULSE_POSTGRES_URL: await database() });
  });

  test('talks TLS to it when the url says so, and to no server with another certificate', async () => {
    const verified = `?sslmode=verify-full&sslrootcert=${certificate.certFile}`;
    const pulse = await startPulse({
      args: ['--target=api,orchestrator'],
      environment: { PULSE_POSTGRES_URL: await database(verified) },
    });
    await createTenant(pulse, { id: 'isp-tls' });
    const { rows } = await admin.query(
      "SELECT s.ssl, count(*)::int AS connections FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE a.application_name = 'pulse' GROUP BY 1",
    );
    expect(rows).toEqual([{ ssl: true, connections: expect.any(Number) }]);
    await pulse.stop();
    const other = await writeCertificate(mkdtempSync(join(dir, 'other-')));
    const refused = startPulse({
      args: ['--target=api'],
      environment: { PULSE_POSTGRES_URL: await database(`?sslmode=verify-full&sslrootcert=${other.certFile}`) },
    });
    await expect(refused).rejects.toThrow('control.certificate');
  });

  test('of two processes each job runs in one, both are ready, and the other takes over when the first ends or is killed', async () => {
    const url = await database();
    const start = () =>
      startPulse({
        args: ['--target=orchestrator,api'],
        environment: {
          PULSE_POSTGRES_URL: url,
          PULSE_LEASE_SECONDS: '3',
          PULSE_OPERATOR_TOKEN: `op_${'t'.repeat(43)}`,
        },
      });
    type Ready = { ready: boolean; modules: { name: string; jobs?: Record<string, string> }[] };
    const jobs = async (pulse: Awaited<ReturnType<typeof start>>) => {
      const { body, status } = await call<Ready>(pulse, '/readyz');
      expect(status).toBe(200);
      return Object.assign({}, ...body.modules.map((module) => module.jobs ?? {})) as Record<string, string>;
    };
    const both = (state: string) => ({ 'domain-events': state, 'decision-expiry': state });
    const first = await start();
    await until(
      () => jobs(first),
      (seen) => Object.values(seen).every((state) => state === 'leading'),
    );
    const second = await start();
    expect([await jobs(first), await jobs(second)]).toEqual([both('leading'), both('standing by')]);
    await first.stop();
    // Given back at once, not after the time of the lease.
    await until(
      () => jobs(second),
      (seen) => Object.values(seen).every((state) => state === 'leading'),
      8,
    );
    const third = await start();
    expect(await jobs(third)).toEqual(both('standing by'));
    await second.kill();
    await until(
      () => jobs(third),
      (seen) => Object.values(seen).every((state) => state === 'leading'),
      25,
    );
    const metrics = await (await fetch(`${third.http}/metrics`)).text();
    expect(metrics).toContain('pulse_leader{job="domain-events"} 1');
    await third.stop();
  });
});
