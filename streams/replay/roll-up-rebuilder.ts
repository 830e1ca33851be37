import type { Logger } from 'pino';
import { z } from 'zod';
import { createRollUpJob, type RollUpJob, rollUsageAfter } from '../store/roll-up-job.ts';
import { adHoc } from './comparison.ts';
import type { Rebuilder } from './port.ts';
import { rolledTables, withinHours } from './tables.ts';

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
    async afterSwap(store, scope, positions) {
      for (const { partition, next } of positions) {
        const sql = `SELECT DISTINCT tenant FROM touched WHERE signal = 'metrics' AND \`partition\` = ${partition} AND ${withinHours({ time: 'bucket' }, scope)}`;
        const tenants = await store.query(adHoc('replayed-tenants', sql, z.object({ tenant: z.number() })), {});
        const numbers = tenants.map(({ tenant }) => tenant);
        await rollUsageAfter(store, numbers, scope.toHour - 3600, Math.max(0, next - 1));
      }
    },
  };
}
