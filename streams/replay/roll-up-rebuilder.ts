import type { Logger } from 'pino';
import { createRollUpJob, type RollUpJob } from '../store/roll-up-job.ts';
import type { Rebuilder } from './port.ts';
import { rolledTables } from './tables.ts';

/** Runs a roll-up job until no hour waits. */
export async function roll(job: Pick<RollUpJob, 'runOnce'>): Promise<void> {
  for (;;) if ((await job.runOnce()) === 0) return;
}

/** Rebuilds the roll-ups with the job that keeps them. */
export function rollUpRebuilder(logger: Logger): Rebuilder {
  return {
    name: 'roll-ups',
    tables: rolledTables,
    async rebuild(store, positions) {
      const log = { committed: async () => positions };
      const job = createRollUpJob({ store, log, logger, lag: async () => 0 });
      await roll(job);
      await job.stop();
    },
  };
}
