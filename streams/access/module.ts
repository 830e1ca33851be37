import { z } from 'zod';
import { defineModule, type ModuleDefinition, type RunningModule, type Services } from '../runtime/module.ts';
import { type ControlAccess, createControlAccess } from './control-access.ts';
import { accessRoutes } from './http.ts';
import { openOperatorToken } from './operator-token.ts';
import { createTenantDirectory } from './tenant-directory.ts';

const refreshMs = 5_000;

/** Who may call: operator token, tenant keys, tenants in memory. Its routes stand in module `access-api`, because the HTTP applications need access first. */
export const accessModule: ModuleDefinition = defineModule({
  name: 'access',
  description: 'credentials, roles and the directory of tenants',
  requires: ['control'],
  config: z.object({}),
  create: (_config, services) => createAccess(services),
});

function createAccess(services: Services): RunningModule {
  const { control, clock, logger, dataDir } = services;
  const access = createControlAccess({ control, clock });
  const tenants = createTenantDirectory(control);
  let timer: NodeJS.Timeout | undefined;
  let started = false;
  return {
    provides: { access, tenants },
    async start() {
      const { token, path, created } = openOperatorToken(dataDir);
      access.setOperatorToken(token);
      if (created) logger.info({ path }, 'operator token created; the command line reads it from there');
      await tenants.refresh();
      timer = setInterval(() => {
        tenants
          .refresh()
          .catch((error) => logger.warn({ err: error }, 'tenants were not read again; the known ones stay'));
      }, refreshMs);
      timer.unref();
      started = true;
    },
    ready: () => (started ? { ready: true } : { ready: false, reason: 'tenants are not read yet' }),
    async stop() {
      clearInterval(timer);
    },
  };
}

/** API keys and session over HTTP. */
export const accessApiModule: ModuleDefinition = defineModule({
  name: 'access-api',
  description: 'API keys and session over HTTP',
  requires: ['access', 'control', 'http'],
  config: z.object({}),
  create(_config, services) {
    const { control, tenants, clock } = services;
    // Provided by the module above, which makes no other kind.
    const access = services.access as ControlAccess;
    services.http.register(accessRoutes({ control, access, tenants, clock }));
    return { async start() {}, ready: () => ({ ready: true }), async stop() {} };
  },
});

export const modules: readonly ModuleDefinition[] = [accessModule, accessApiModule];
