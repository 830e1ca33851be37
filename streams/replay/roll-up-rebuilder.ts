import type { Logger } from 'pino';
import { createRollUpJob } from '../store/roll-up-job.ts';
import type { Rebuilder } from './port.ts';
import { rolledTables } from './tables.ts';

/** Rebuilds the roll-ups with the job that keeps them. */
export function rollUpRebuilder(logger: Logger): Rebuilder {
  return {
    name: 'roll-ups',
    tables: rolledTables,
    async rebuild(store, positions) {
      const log = { committed: async () => positions };
      const job = createRollUpJob({ store, log, logger, lag: async () => 0 });
      while ((await job.runOnce()) > 0);
      await job.stop();
    },
  };
}
