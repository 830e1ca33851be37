import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { AppError } from '../contract/index.ts';
import type { Log } from '../log/port.ts';
import type { Store } from '../store/port.ts';
import { storeGroup } from '../store/telemetry-consumer.ts';
import { adHoc } from './comparison.ts';
import type { Position } from './port.ts';

const settleMs = 20_000;
const newest = z.object({ partition: z.number(), next: z.coerce.number() });

/** Waits until the consumer's commit covers everything that it has handed over: with the gate closed, all of it is in the tables then. */
export async function settled(deps: {
  readonly store: Store;
  readonly log: Pick<Log, 'epoch' | 'committed'>;
}): Promise<readonly Position[]> {
  const { store, log } = deps;
  const prefix = `${log.epoch()}-telemetry-`;
  const sql = `SELECT \`partition\` AS partition, max(seq) + 1 AS next FROM touched WHERE startsWith(token, '${prefix}') GROUP BY partition`;
  const handed = await store.query(adHoc('handed-over', sql, newest), {}, { timeoutSeconds: 300 });
  const deadline = performance.now() + settleMs;
  for (;;) {
    const committed = await log.committed('telemetry', storeGroup);
    const next = new Map(committed.map((position) => [position.partition, position.next]));
    if (handed.every((position) => position.next <= (next.get(position.partition) ?? 0))) return committed;
    if (performance.now() > deadline)
      throw new AppError('maintenance.busy', 'a batch is in hand that does not come to its end', {
        status: 503,
        retryable: true,
      });
    await sleep(20);
  }
}

/** The gate holds this process only. *Errors* `replay.moving` when another one has committed meanwhile. */
export async function refuseMoving(
  deps: { readonly log: Pick<Log, 'committed'> },
  positions: readonly Position[],
): Promise<void> {
  const now = await deps.log.committed('telemetry', storeGroup);
  const before = new Map(positions.map(({ partition, next }) => [partition, next]));
  if (now.every(({ partition, next }) => next === (before.get(partition) ?? next))) return;
  throw new AppError(
    'replay.moving',
    'another process takes the log into the tables at the same time: a replay compares and swaps while the only consumer stands still',
    { status: 409, retryable: true },
  );
}
