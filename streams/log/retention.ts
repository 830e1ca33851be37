import type { Clock } from '../runtime/clock.ts';
import type { LogLogger } from './environment.ts';
import { type Log, type TopicName, topics } from './port.ts';

const dayMs = 86_400_000;
const topicNames = Object.keys(topics) as TopicName[];

export interface RetentionOptions {
  readonly log: Pick<Log, 'offsets' | 'read' | 'retain'>;
  readonly clock: Clock;
  /** *Units* days since the log took a record. */
  readonly days: number;
  readonly logger: LogLogger;
}

/**
 * Drops what is older than its time, whole segments at a time.
 *
 * *Shape* answers the bytes freed. A group's commit holds everything behind it, however old: what has not been stored, or what a period that is not sealed yet still needs, stays.
 * *Bias* keeps too much: a segment goes when its newest record is old enough.
 */
export async function applyRetention(options: RetentionOptions): Promise<number> {
  const { log, clock, days, logger } = options;
  const oldest = clock.now() - days * dayMs;
  let freed = 0;
  for (const topic of topicNames) {
    for (const { partition, first, next } of await log.offsets(topic)) {
      const before = await firstSince(log, topic, { partition, first, next }, oldest);
      if (before === first) continue;
      const bytes = await log.retain(topic, partition, before);
      freed += bytes;
      if (bytes > 0)
        logger.warn({ topic, partition, before, bytes, days }, 'log: segments older than the retention dropped');
    }
  }
  return freed;
}

/** The first offset whose record was taken at or after `since`, by halving: the log takes records in the order of its clock. */
async function firstSince(
  log: Pick<Log, 'read'>,
  topic: TopicName,
  range: { readonly partition: number; readonly first: number; readonly next: number },
  since: number,
): Promise<number> {
  let [low, high] = [range.first, range.next];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    let appendedAt = Number.POSITIVE_INFINITY;
    for await (const record of log.read(topic, range.partition, middle, middle + 1)) appendedAt = record.appendedAt;
    if (appendedAt < since) low = middle + 1;
    else high = middle;
  }
  return low;
}
