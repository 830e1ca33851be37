import { z } from 'zod';
import { defineModule, type ModuleDefinition } from '../runtime/module.ts';
import { createEmbeddedLog, type EmbeddedLog } from './embedded-log.ts';
import { createLogMetrics } from './metrics.ts';
import { applyRetention } from './retention.ts';

const mebibyte = 1024 * 1024;
const retentionEveryMs = 3_600_000;

/** The durable log under `DATA_DIR/log`. Provides `log`. */
export const logModule: ModuleDefinition = defineModule({
  name: 'log',
  description: 'durable log: append-only segments under the data directory',
  requires: [],
  config: z.strictObject({
    segmentMiB: z.int().min(1).max(1024).default(64),
    queueMiB: z.int().min(8).max(4096).default(64),
    recentMiB: z.int().min(0).max(1024).default(24),
    /** The dispute window: replay and recomputation of a bill need the raw records. */
    retentionDays: z.int().min(100).max(3650).default(100),
  }),
  create(config, services) {
    // The metrics read the log's status when they are scraped, and the log reports to the metrics.
    const log: EmbeddedLog = createEmbeddedLog({
      dir: `${services.dataDir}/log`,
      segmentBytes: config.segmentMiB * mebibyte,
      queueBytes: config.queueMiB * mebibyte,
      recentBytes: config.recentMiB * mebibyte,
      clock: services.clock,
      logger: services.logger,
      observer: createLogMetrics(services.metrics, () => log.status()),
    });
    let running: Promise<unknown> = Promise.resolve();
    let timer: NodeJS.Timeout | undefined;
    const retain = () => {
      const { clock, logger } = services;
      running = applyRetention({ log, clock, logger, days: config.retentionDays }).catch((error: unknown) =>
        logger.error({ err: error }, 'log: retention failed, it is tried again in an hour'),
      );
    };
    return {
      provides: { log },
      async start() {
        await log.start();
        timer = setInterval(retain, retentionEveryMs);
        timer.unref();
      },
      ready: () => {
        const { started, damaged } = log.status();
        if (!started) return { ready: false, reason: 'the log has not started' };
        if (damaged.length > 0) return { ready: false, reason: `the disk refuses writes of ${damaged.join(', ')}` };
        return { ready: true };
      },
      async stop() {
        clearInterval(timer);
        await running;
        await log.stop();
      },
    };
  },
});
