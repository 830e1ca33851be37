import { pino } from 'pino';
import type { Access } from '../../../access/port.ts';
import type { TenantRecord } from '../../../contract/index.ts';
import { createChdbStore } from '../../chdb-store.ts';
import { createClickhouseListener } from '../listener.ts';
import { createReadOnlyService } from '../read-only.ts';
import { createReadWriteService } from '../read-write.ts';
import { defaultReaderLimits } from '../reader-settings.ts';
import { createStatementRunner } from '../statement-runner.ts';
import { operatorToken, type TestingServerOptions } from './server.ts';

const options = JSON.parse(process.argv[2] ?? '') as TestingServerOptions;
const tenants = new Map(Object.entries(options.tenants ?? {}));
const logger = pino({ level: 'warn' }, process.stderr);

const access: Access = {
  async authenticate(token) {
    const base = { partnerId: null, scopes: [] };
    if (token === operatorToken) return { ...base, role: 'operator', id: 'operator', tenantId: null };
    const id = /^key-(.+)$/.exec(token)?.[1];
    return id !== undefined && tenants.has(id) ? { ...base, role: 'tenant', id: `key:${id}`, tenantId: id } : null;
  },
};

const store = createChdbStore({
  dir: options.dir,
  memoryBytes: 900e6,
  connections: 2,
  logger,
  clock: { now: () => Date.now() },
});
store.sessions.demandSyncedInserts();
await store.start();
for (const statement of options.prepare ?? []) await store.execute(statement);
const runner = createStatementRunner(store.sessions, 8);
const { sessions } = store;
const service =
  options.mode === 'read-write'
    ? createReadWriteService({ runner, sessions })
    : createReadOnlyService({
        runner,
        sessions,
        tenants: {
          byId(id) {
            const number = tenants.get(id);
            return number === undefined ? undefined : ({ id, number } as TenantRecord);
          },
        },
        limits: { ...defaultReaderLimits, ...options.limits },
      });
const listener = createClickhouseListener({
  service,
  access,
  logger,
  frame: async () => ({ version: '26.7.2.1', timeZone: 'UTC' }),
  loopbackOnly: options.mode === 'read-write',
});
const url = await listener.listen({ host: '127.0.0.1', port: options.port ?? 0, variable: 'port', tls: null });
process.stdout.write(`${url}\n`);
process.once('SIGTERM', async () => {
  await listener.drain();
  await store.stop();
  process.exit(0);
});
