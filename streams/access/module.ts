import { z } from 'zod';
import { Secret } from '../runtime/config.ts';
import { defineModule, type ModuleDefinition, type RunningModule, type Services } from '../runtime/module.ts';
import { type ControlAccess, createControlAccess } from './control-access.ts';
import { accessRoutes } from './http.ts';
import { createLimitsDirectory } from './limits-directory.ts';
import { limitsRoutes } from './limits-http.ts';
import { createLimitsStore } from './limits-store.ts';
import { openOperatorToken, operatorTokenPattern } from './operator-token.ts';
import { createTenantDirectory } from './tenant-directory.ts';

const refreshMs = 5_000;

const AccessConfig = z.strictObject({
  /** The same in every process of a cluster; without it the data directory has one of its own. */
  operatorToken: z
    .string()
    .regex(operatorTokenPattern, 'op_ and 43 letters, digits, "-" or "_"')
    .transform((value) => new Secret(value))
    .optional(),
});

/** Who may call: operator token, tenant keys, tenants in memory. Its routes stand in module `access-api`, because the HTTP applications need access first. */
export const accessModule: ModuleDefinition = defineModule({
  name: 'access',
  description: 'credentials, roles, the directory of tenants and their limits',
  requires: ['control'],
  config: AccessConfig,
  create: createAccess,
});

function createAccess(config: z.infer<typeof AccessConfig>, services: Services): RunningModule {
  const { control, clock, logger, dataDir } = services;
  const access = createControlAccess({ control, clock });
  const tenants = createTenantDirectory(control);
  const limits = createLimitsDirectory(control, (tenant, error) =>
    logger.warn({ err: error, tenant }, 'the limits of a tenant are not understood; it keeps those it had'),
  );
  let operator = '';
  let timer: NodeJS.Timeout | undefined;
  let started = false;
  return {
    provides: { access, tenants, limits, operatorToken: () => operator },
    async start() {
      const given = config.operatorToken?.reveal();
      const { token, path, created } =
        given === undefined ? openOperatorToken(dataDir) : { token: given, path: '', created: false };
      operator = token;
      access.setOperatorToken(token);
      if (created) logger.info({ path }, 'operator token created; the command line reads it from there');
      await Promise.all([tenants.refresh(), limits.refresh()]);
      timer = setInterval(() => {
        Promise.all([tenants.refresh(), limits.refresh()]).catch((error) =>
          logger.warn({ err: error }, 'tenants and limits were not read again; the known ones stay'),
        );
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
  description: 'API keys, limits and session over HTTP',
  requires: ['access', 'control', 'http'],
  config: z.object({}),
  create(_config, services) {
    const { control, tenants, limits, clock } = services;
    // Provided by the module above, which makes no other kind.
    const access = services.access as ControlAccess;
    services.http.register(accessRoutes({ control, access, tenants, clock }));
    services.http.register(
      limitsRoutes(createLimitsStore({ control, now: () => clock.now(), refresh: () => limits.refresh() })),
    );
    return { async start() {}, ready: () => ({ ready: true }), async stop() {} };
  },
});

export const modules: readonly ModuleDefinition[] = [accessModule, accessApiModule];
