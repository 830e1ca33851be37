import type { Rebuilder } from 'streams/replay';
import { createSlaJob } from './sla-job.ts';

/** Rebuilds the minutes of service with the job that keeps them. */
export function serviceLevelRebuilder(): Rebuilder {
  return {
    name: 'service-levels',
    tables: [
      {
        name: 'sla_hour',
        time: 'bucket',
        partition: 'month',
        swap: 'partition',
        except: {
          version: 'which reading of the log computed the row: a later one of the same records gives the same masks',
        },
      },
    ],
    async rebuild(store, positions) {
      const job = createSlaJob({
        store,
        log: { committed: async () => positions },
        elapsedMs: () => performance.now(),
      });
      while ((await job.run()).waiting > 0);
    },
  };
}
