import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Log } from '../log/port.ts';
import type { WorkGate } from '../runtime/work-gate.ts';
import { executeCounterStatement } from './counter-statement.ts';
import { defineQuery } from './define-query.ts';
import type { Store } from './port.ts';
import { storeGroup } from './telemetry-consumer.ts';

const dirtyHours = defineQuery({
  file: new URL('./sql/dirty-hours.sql', import.meta.url),
  params: z.object({ partition: z.number().int(), from: z.number().int(), upTo: z.number().int() }),
  row: z.object({ tenant: z.number(), hour: z.number(), points: z.coerce.number() }),
});
const statement = (name: string) => readFileSync(new URL(`./sql/${name}.sql`, import.meta.url), 'utf8');
const rollSeriesHour = statement('roll-series-hour');
const rollSeriesMinute = statement('roll-series-minute');
const rollUsageHour = statement('roll-usage-hour');
const rollMark = statement('roll-mark');

/** Points that one statement gathers in memory: 24 bytes each and their sorted copy stay under 200 MB. */
const pointsMax = 2_000_000;
const pairsMax = 1000;
/** Of fewer points the engine takes longer to read the whole counter rule than to try without it. */
const fewPoints = 200_000;
/** Day partitions that one FINAL reads at a time: each holds its own blocks in memory. */
const spanSeconds = 10 * 86_400;
/** In the background: whoever waits for an answer at the door keeps a core. */
const limits = { maxMemoryBytes: 400 * 1024 * 1024, timeoutSeconds: 120, isBackground: true };
/** One round rolls for at most this long before it looks for newer hours again. */
const roundMs = 5000;
/** While points keep coming the job takes this part of the time at most: less than what a p95 sees. *Source* bench noisy-neighbour: at a quarter of the time one tenant's points were felt by all. */
const shareOfTime = 1 / 25;
/** Roll-ups of an hour that points keep coming to are behind by this at most, and by one round. */
const behindMs = 30_000;
/** How long a busy consumer can put a round off: hot hours are rolled again and again, so waiting until they are quiet saves most of the work. */
const putOffMs = 10_000;

interface DirtyHour {
  readonly tenant: number;
  readonly hour: number;
  readonly points: number;
  readonly partition: number;
}

export interface RollUpJobOptions {
  readonly store: Store;
  readonly log: Pick<Log, 'committed'>;
  readonly logger: Logger;
  /** Each round of the loop goes through it; without one it runs at once. */
  readonly gate?: WorkGate;
  /** Records that the consumer has not taken yet. */
  readonly lag: () => Promise<number>;
  readonly intervalMs?: number;
  /** True while the consumer needs the engine: the next round then waits, at most ten seconds. */
  readonly isBusy?: () => boolean;
  /** Waits; a test passes its own. Returns the function that ends the wait early. */
  readonly wait?: (ms: number, done: () => void) => () => void;
  readonly onRound?: (report: { rolled: number; waiting: number; seconds: number }) => void;
}

/** Keeps the roll-ups of metrics abreast of the tables. */
export interface RollUpJob {
  start(): void;
  /** Finishes the statement in hand. Idempotent. */
  stop(): Promise<void>;
  /** One round: looks for dirty hours and rolls up what fits into its time. Returns the hours still waiting. */
  runOnce(): Promise<number>;
  /** True when the consumer has taken the whole log and every hour it touched is rolled up. */
  caughtUp(): Promise<boolean>;
}

const waitByTimer = (ms: number, done: () => void) => {
  const timer = setTimeout(done, ms);
  return () => clearTimeout(timer);
};

/** The next hours to roll, newest first, as many as one statement may read. */
function nextChunk(pending: readonly DirtyHour[]): DirtyHour[] {
  const partition = pending[0]?.partition;
  const chunk: DirtyHour[] = [];
  let points = 0;
  for (const item of pending) {
    if (item.partition !== partition) continue;
    if ((pending[0]?.hour ?? 0) - item.hour > spanSeconds) break;
    if (chunk.length > 0 && (points + item.points > pointsMax || chunk.length >= pairsMax)) break;
    chunk.push(item);
    points += item.points;
  }
  return chunk;
}

/** Recomputes the roll-ups of some hours of one partition from the samples, then marks them. Running it again gives the same rows. */
async function rollChunk(store: Store, chunk: readonly DirtyHour[], version: number): Promise<void> {
  const hours = chunk.map((item) => item.hour);
  const fromHour = Math.min(...hours);
  const toHour = Math.max(...hours);
  const pairs = { tenants: chunk.map((item) => item.tenant), hours, fromHour, toHour, version };
  const points = chunk.reduce((sum, item) => sum + item.points, 0);
  const parts = Math.max(1, Math.ceil(points / pointsMax));
  for (let part = 0; part < parts; part++) {
    if (points < fewPoints) await executeCounterStatement(store, rollSeriesHour, { ...pairs, parts, part }, limits);
    else await store.execute(rollSeriesHour, { ...pairs, parts, part }, limits);
    await store.execute(rollSeriesMinute, { ...pairs, parts, part }, limits);
  }
  await store.execute(rollUsageHour, { tenants: [...new Set(pairs.tenants)], fromHour, toHour, version }, limits);
  await store.execute(rollMark, pairs, limits);
}

/** Recomputes `usage_hour` of tenants behind an hour whose `series_hour` has changed: edges look back for 24 hours. *Units* `hour` seconds since the epoch. */
export async function rollUsageAfter(
  store: Pick<Store, 'execute'>,
  tenants: readonly number[],
  hour: number,
  version: number,
): Promise<void> {
  if (tenants.length === 0) return;
  await store.execute(rollUsageHour, { tenants, fromHour: hour, toHour: hour, version }, limits);
}

/**
 * Recomputes `series_hour`, `series_minute` and `usage_hour` of the hours that batches touched, from deduplicated samples.
 *
 * *Shape* an hour is dirty while a committed batch touched it after its last version. Only committed batches count, because `touched` is written before the samples; the version is the
 * committed position read before the samples, so whatever comes later makes the hour dirty again.
 */
export function createRollUpJob(options: RollUpJobOptions): RollUpJob {
  const { store, log, logger } = options;
  const intervalMs = options.intervalMs ?? 1000;
  const wait = options.wait ?? waitByTimer;
  const pending = new Map<string, DirtyHour>();
  const scanned = new Map<number, number>();
  let stopped = false;
  let wake: (() => void) | undefined;
  let running: Promise<number> | undefined;
  let loop: Promise<void> | undefined;

  async function scan(): Promise<Map<number, number>> {
    const versions = new Map<number, number>();
    for (const { partition, next } of await log.committed('telemetry', storeGroup)) {
      const upTo = next - 1;
      const from = scanned.get(partition) ?? 0;
      versions.set(partition, upTo);
      if (upTo < from) continue;
      for (const row of await store.query(dirtyHours, { partition, from, upTo }, limits)) {
        pending.set(`${row.tenant}/${row.hour}`, { ...row, partition });
      }
      scanned.set(partition, next);
    }
    return versions;
  }

  async function round(): Promise<number> {
    const began = performance.now();
    const versions = await scan();
    let rolled = 0;
    while (pending.size > 0 && !stopped && performance.now() - began < roundMs) {
      const chunk = nextChunk([...pending.values()].sort((a, b) => b.hour - a.hour || a.tenant - b.tenant));
      await rollChunk(store, chunk, versions.get(chunk[0]?.partition ?? 0) ?? 0);
      for (const item of chunk) pending.delete(`${item.tenant}/${item.hour}`);
      rolled += chunk.length;
    }
    options.onRound?.({ rolled, waiting: pending.size, seconds: (performance.now() - began) / 1000 });
    return pending.size;
  }

  const runOnce = () => {
    // Two rounds at once would roll the same hours twice: a second caller gets the round in hand.
    running ??= (options.gate?.run(round) ?? round()).finally(() => {
      running = undefined;
    });
    return running;
  };

  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const cancel = wait(ms, resolve);
      wake = () => {
        cancel();
        resolve();
      };
    });

  /** How far the consumer is, as one number; null when the log does not say: then the whole rest is taken. */
  const reached = async () => {
    const committed = await log.committed('telemetry', storeGroup).catch(() => null);
    return committed === null ? null : committed.reduce((sum, { next }) => sum + next, 0);
  };

  /** A heavy open hour is recomputed whole each time, so the rest grows with what a round costs. It ends when nothing has come for an interval: what is left to do then is done once. */
  async function rest(until: number): Promise<void> {
    let at = await reached();
    while (!stopped) {
      await pause(intervalMs);
      const before = at;
      at = await reached();
      if ((at !== null && at === before) || performance.now() >= until) return;
    }
  }

  async function run(): Promise<void> {
    let ended = performance.now();
    while (!stopped) {
      if (options.isBusy?.() && performance.now() - ended < putOffMs) {
        await pause(intervalMs / 4);
        continue;
      }
      const began = performance.now();
      let waiting = 0;
      try {
        waiting = await runOnce();
      } catch (error) {
        logger.error({ error }, 'roll-up round failed, its hours stay dirty');
      }
      ended = performance.now();
      if (waiting > 0) await pause(10);
      else await rest(ended + Math.min((ended - began) / shareOfTime, behindMs));
    }
  }

  return {
    start() {
      loop ??= run();
    },
    async stop() {
      stopped = true;
      wake?.();
      await loop;
      await running?.catch(() => undefined);
    },
    runOnce,
    async caughtUp() {
      if ((await options.lag()) > 0 || running !== undefined || pending.size > 0) return false;
      const committed = await log.committed('telemetry', storeGroup);
      return committed.every(({ partition, next }) => next === 0 || scanned.get(partition) === next);
    },
  };
}
