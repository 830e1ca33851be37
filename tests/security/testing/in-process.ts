import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { modules as analyticsModules } from 'analytics/module';
import { modules as billingModules } from 'billing-rater/module';
import { modules as collectorModules } from 'collectors/module';
import { modules as ingestModules } from 'ingest/module';
import { modules as orchestratorModules } from 'orchestrator/module';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { modules as accessModules, type ControlAccess } from 'streams/access';
import { backupModule } from 'streams/backup';
import { modules as controlModules } from 'streams/control';
import { copyEmptyControl } from 'streams/control/test-cluster';
import { modules as eventModules } from 'streams/events';
import { modules as forwardingModules } from 'streams/forwarding';
import { logModule } from 'streams/log';
import { replayModule } from 'streams/replay';
import {
  configSchemas,
  createModules,
  defineModule,
  httpModules,
  type ModuleDefinition,
  pageModule,
  parseSections,
  ServerConfig,
  type Services,
  selectModules,
  systemClock,
} from 'streams/runtime';
import { modules as storeModules } from 'streams/store';
import { copyEmptyStore } from 'streams/store/test-store';
import { z } from 'zod';

/** Bearer token that stands for a partner here: no credential of the product leads to that role yet. */
export const partnerToken = 'partner-of-the-test';
export const partnerId = 'partner-one';

/** `access` as it is, with one more token: the partner's. */
function withPartner(definition: ModuleDefinition): ModuleDefinition {
  return {
    ...definition,
    create(config, services) {
      const created = definition.create(config, services);
      const real = created.provides?.access as ControlAccess;
      const access: ControlAccess = {
        ...real,
        authenticate: async (token) =>
          token === partnerToken
            ? { role: 'partner', id: 'person:partner', tenantId: null, partnerId, scopes: [] }
            : real.authenticate(token),
      };
      return { ...created, provides: { ...created.provides, access } };
    },
  };
}

/** The whole program in this process: every module of the composition root, on engines of its own; the portal's build, agent and demo are left out. */
export interface InProcess {
  readonly services: Services;
  readonly operatorToken: string;
  readonly moduleNames: readonly string[];
  stop(): Promise<void>;
}

/** Composes and starts everything, or `only` some modules and what they require; `extra` runs before anything starts, to see what a careless module would do. */
export async function startInProcess(
  options: { readonly only?: readonly string[]; extra?(services: Services): void } = {},
): Promise<InProcess> {
  const dir = mkdtempSync(join(tmpdir(), 'pulse-security-'));
  await copyEmptyStore(join(dir, 'store'));
  await copyEmptyControl(join(dir, 'control'));
  let seen: Services | undefined;
  const server = ServerConfig.parse({ httpPort: 0, otlpHttpPort: 0, otlpGrpcPort: 0, dataDir: dir });
  const { http, gateway } = httpModules({
    version: 'test',
    server: () => server,
    readiness: () => [],
    onListening() {},
  });
  const definitions: ModuleDefinition[] = [
    logModule,
    ...storeModules,
    ...controlModules,
    ...accessModules.map((definition) => (definition.name === 'access' ? withPartner(definition) : definition)),
    http,
    ...eventModules,
    ...forwardingModules,
    replayModule,
    backupModule('test'),
    ...ingestModules,
    ...analyticsModules,
    ...billingModules,
    ...orchestratorModules,
    pageModule({ dir: join(dir, 'portal'), build: async () => ({ built: false }) }),
    gateway,
    ...collectorModules,
  ];
  const observer = defineModule({
    name: 'observer',
    description: 'hands the services to the test',
    requires: ['http'],
    config: z.object({}),
    create(_config, services) {
      seen = services;
      options.extra?.(services);
      return { async start() {}, ready: () => ({ ready: true }), async stop() {} };
    },
  });
  // The program runs either of the two servers of the store's interface, never both.
  const off = new Set(['gateway', 'agent', 'demo', 'clickhouse-server']);
  const wanted = options.only ?? definitions.map(({ name }) => name).filter((name) => !off.has(name));
  const target = [...wanted, observer.name].join(',');
  const selected = selectModules([...definitions, observer], {}, target);
  const configs = parseSections({}, configSchemas(selected));
  const set = createModules(selected, configs, {
    logger: pino({ level: 'silent' }),
    dataDir: dir,
    clock: systemClock,
    metrics: new Registry(),
  });
  const stop = async () => {
    await Promise.all([seen?.http.close(), seen?.otlpHttp.close()]);
    await set.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await set.start();
    if (seen === undefined) throw new Error('the observer module was not created');
    await Promise.all([seen.http.ready(), seen.otlpHttp.ready()]);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    services: seen,
    operatorToken: readFileSync(join(dir, 'operator.token'), 'utf8').trim(),
    moduleNames: definitions.map(({ name }) => name),
    stop,
  };
}
