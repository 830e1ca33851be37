import { z } from 'zod';
import { defineModule, type ModuleDefinition } from '../runtime/module.ts';
import { createEmbeddedLog, type EmbeddedLog } from './embedded-log.ts';
import { createLogMetrics } from './metrics.ts';

const mebibyte = 1024 * 1024;

/** The durable log under `DATA_DIR/log`. Provides `log`. */
export const logModule: ModuleDefinition = defineModule({
  name: 'log',
  description: 'durable log: append-only segments under the data directory',
  requires: [],
  config: z.strictObject({
    segmentMiB: z.int().min(1).max(1024).default(64),
    queueMiB: z.int().min(8).max(4096).default(64),
    recentMiB: z.int().min(0).max(1024).default(24),
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
    return {
      provides: { log },
      start: () => log.start(),
      ready: () => {
        const { started, damaged } = log.status();
        if (!started) return { ready: false, reason: 'the log has not started' };
        if (damaged.length > 0) return { ready: false, reason: `the disk refuses writes of ${damaged.join(', ')}` };
        return { ready: true };
      },
      stop: () => log.stop(),
    };
  },
});
