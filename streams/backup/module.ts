import { Gauge } from 'prom-client';
import { z } from 'zod';
import { AppError } from '../contract/index.ts';
import { jobsReadiness } from '../control/leases.ts';
import type { Leadership } from '../control/port.ts';
import { defineModule, type ModuleDefinition, type Services } from '../runtime/module.ts';
import { type BackupService, createBackupService } from './backup-service.ts';
import { backupRoutes } from './http.ts';

const Config = z.strictObject({
  /** Where scheduled backups go: another disk than the data directory's, better another machine's. Unset: no schedule. */
  directory: z.string().min(1).optional(),
  everyHours: z.coerce.number().min(0.01).max(720).default(24),
  /** How many scheduled backups stay; the last verified one always does. */
  keep: z.coerce.number().int().min(1).max(1000).default(7),
});
type Config = z.infer<typeof Config>;

const lookEveryMs = 30_000;
/** After a failure the next try is not a day away. */
const retryMs = 3_600_000;

/** Backups over HTTP and by schedule, in the process that has the tables and the log. */
export function backupModule(product: string): ModuleDefinition {
  return defineModule({
    name: 'backup',
    description: 'backups of control plane, tables and position in the log, verified by a trial restore',
    requires: ['log', 'store', 'control', 'access', 'http', 'telemetry-consumer'],
    config: Config,
    create(config, services) {
      let service: BackupService | null = null;
      let leads = false;
      let leadership: Leadership | undefined;
      let lastVerifiedAt: number | null = null;
      const here = () => {
        if (service !== null && leads) return service;
        throw new AppError(
          'maintenance.elsewhere',
          'another process looks after backups, or none does yet: ask again',
          {
            status: 409,
            retryable: true,
          },
        );
      };
      services.http.register(backupRoutes(here, config.directory));
      new Gauge({
        name: 'pulse_backup_age_seconds',
        help: 'time since the last verified backup was begun; absent while there is none',
        registers: [services.metrics],
        collect() {
          this.reset();
          if (lastVerifiedAt !== null) this.set((services.clock.now() - lastVerifiedAt) / 1000);
          else this.remove();
        },
      });
      const noteLast = async (running: BackupService) => {
        const last = await running.lastVerified();
        lastVerifiedAt = last === null ? null : Date.parse(last.startedAt);
      };
      return {
        async start() {
          const running = createBackupService({ ...depsOf(services), product });
          service = running;
          leadership = services.leases.lead('backup', async () => {
            await running.clean();
            await noteLast(running);
            leads = true;
            const schedule = startSchedule(config, services, running, () => noteLast(running));
            return {
              async stop() {
                leads = false;
                schedule.stop();
                await running.stop();
              },
            };
          });
        },
        ready: () => jobsReadiness(leadership === undefined ? [] : [leadership]),
        async stop() {
          await leadership?.stop();
          await service?.stop();
        },
      };
    },
  });
}

const depsOf = ({ store, log, control, maintenance, clock, dataDir, logger }: Services) => ({
  store,
  log,
  control,
  gate: maintenance.gate,
  clock,
  dataDir,
  logger: logger.child({ module: 'backup' }),
});

/** Looks every half minute whether a backup is due. A failure is logged, told as an event, and seen in the age; readiness stays, because the server serves. */
function startSchedule(
  config: Config,
  { clock, logger }: Pick<Services, 'clock' | 'logger'>,
  service: BackupService,
  noteLast: () => Promise<void>,
) {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const look = async () => {
    await noteLast();
    const { directory } = config;
    if (directory === undefined) return;
    const [newest] = await service.list(1);
    if (newest?.state === 'running') return;
    const pause =
      newest?.state === 'done' ? config.everyHours * 3_600_000 : Math.min(retryMs, config.everyHours * 3_600_000);
    if (newest !== undefined && clock.now() - Date.parse(newest.startedAt) < pause) return;
    await service.start({ id: 'system:backup', correlationId: 'schedule' }, { directory, isScheduled: true });
    await service.ended();
    await noteLast();
    await service.prune(directory, config.keep);
  };
  const tick = () => {
    void look()
      .catch((error: unknown) => logger.error({ err: error }, 'a scheduled backup could not be started'))
      .finally(() => {
        if (stopped) return;
        timer = setTimeout(tick, lookEveryMs);
        timer.unref();
      });
  };
  tick();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
