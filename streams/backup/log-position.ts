import { randomBytes } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError } from '../contract/index.ts';
import { createEmbeddedLog } from '../log/embedded-log.ts';
import { fromHeaders } from '../log/envelope.ts';
import { nodeFileSystem } from '../log/file-system.ts';
import { type Log, type TopicName, topics } from '../log/port.ts';
import { Positions } from '../log/positions.ts';
import { segmentName } from '../log/segment.ts';
import { systemClock } from '../runtime/clock.ts';
import { storeGroup } from '../store/telemetry-consumer.ts';
import { damaged, type Manifest } from './manifest.ts';

type LogManifest = Manifest['log'];

const topicNames = Object.keys(topics) as TopicName[];
const silent = { warn: () => undefined, error: () => undefined };

/** Groups that have read the embedded log; on a server only the store's is known. */
async function groupsOf(dataDir: string): Promise<readonly { topic: TopicName; group: string }[]> {
  const folder = join(dataDir, 'log', 'positions');
  const groups = await readdir(folder).catch(() => [] as string[]);
  const found: { topic: TopicName; group: string }[] = [];
  for (const group of groups) {
    const files = await readdir(join(folder, group));
    for (const topic of topicNames)
      if (files.some((file) => file.startsWith(`${topic}-`))) found.push({ topic, group });
  }
  return found.length > 0 ? found : [{ topic: 'telemetry', group: storeGroup }];
}

/** Where the log and its readers stand. */
export async function readLogPosition(log: Log, dataDir: string): Promise<LogManifest> {
  const groups: LogManifest['groups'] = [];
  for (const { topic, group } of await groupsOf(dataDir)) {
    groups.push({ topic, group, positions: [...(await log.committed(topic, group))] });
  }
  const ends: LogManifest['topics'] = [];
  for (const topic of topicNames) {
    const partitions = (await log.offsets(topic)).map(({ partition, next }) => ({ partition, next }));
    ends.push({ topic, partitions });
  }
  return { epoch: log.epoch(), topics: ends, groups };
}

const isTopic = (name: string): name is TopicName => topicNames.some((topic) => topic === name);

/**
 * A log without records whose offsets go on where the lost one ended: known-ats and versions in the tables stay below everything that comes.
 *
 * *Shape* an empty segment named by its first offset, below an epoch of its own.
 */
export async function createLogFrom(directory: string, manifest: LogManifest): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(join(directory, 'epoch.json'), JSON.stringify({ format: 1, epoch: randomBytes(8).toString('hex') }));
  for (const { topic, partitions } of manifest.topics) {
    if (!isTopic(topic)) throw damaged(`topic ${topic} is not one of the log`);
    for (const { partition, next } of partitions) {
      const folder = join(directory, topic, String(partition));
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, segmentName(next)), '');
    }
  }
}

/** What a surviving log holds beyond a backup. */
export interface LogSurvey {
  readonly records: number;
  /** Highest engine number of a tenant among them, and the ids behind the numbers. */
  readonly tenants: ReadonlyMap<number, string>;
}

const epochFile = z.object({ format: z.literal(1), epoch: z.string() });

/** *Errors* `backup.wrong_epoch` when the log is not the one that the backup was made beside. */
export function checkEpoch(text: string, manifest: LogManifest): void {
  const parsed = epochFile.safeParse(JSON.parse(text));
  if (parsed.success && parsed.data.epoch === manifest.epoch) return;
  throw new AppError(
    'backup.wrong_epoch',
    `the log is another one than the backup's (epoch ${parsed.success ? parsed.data.epoch : 'unreadable'} instead of ${manifest.epoch}): its offsets mean other records`,
    { status: 409, field: 'log' },
  );
}

/**
 * Sets every reader of a copied log back to where it stood at the backup, and looks through what it will read again.
 *
 * *Errors* `backup.log_gap` when retention has dropped what the backup lacks, `backup.log_behind` when the log ends before the backup does, `log.corrupt`.
 */
export async function rewindLog(directory: string, manifest: Manifest): Promise<LogSurvey> {
  const log = createEmbeddedLog({ dir: directory, clock: systemClock, logger: silent });
  await log.start();
  let records = 0;
  const tenants = new Map<number, string>();
  try {
    const offsets = new Map((await log.offsets('telemetry')).map((one) => [one.partition, one]));
    for (const { partition, next } of manifest.knownAt) {
      const held = offsets.get(partition);
      if (held === undefined || held.next < next)
        throw new AppError(
          'backup.log_behind',
          `partition ${partition} of the log ends at ${held?.next ?? 'nothing'}, the backup has read up to ${next}: part of the log is missing. Restore without it`,
          { status: 409, field: 'log' },
        );
      if (held.first > next)
        throw new AppError(
          'backup.log_gap',
          `partition ${partition} of the log begins at ${held.first}, the backup ends at ${next}: what lies between is gone. Restore a newer backup, or without the log`,
          { status: 409, field: 'log' },
        );
      for await (const record of log.read('telemetry', partition, next, held.next)) {
        records += 1;
        try {
          const { tenant, tenantNumber } = fromHeaders(record.headers);
          tenants.set(tenantNumber, tenant);
        } catch {
          // Poison: the consumer sets it aside.
        }
      }
    }
  } finally {
    await log.stop();
  }
  const environment = {
    directory,
    segmentBytes: 1,
    fs: nodeFileSystem,
    logger: silent,
    observer: { appended: () => undefined, synced: () => undefined, trimmed: () => undefined },
    recentBytes: 0,
  };
  const positions = new Positions(environment, manifest.log.epoch);
  await positions.open();
  try {
    for (const { topic, group, positions: wanted } of manifest.log.groups) {
      if (!isTopic(topic)) continue;
      for (const { partition, next } of wanted) {
        const file = await positions.ensure(topic, partition, group, next);
        await file.save({ committed: next, plan: null });
      }
    }
  } finally {
    await positions.close();
  }
  return { records, tenants };
}
