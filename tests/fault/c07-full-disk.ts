import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPulse, until } from '../pulse-process.ts';
import type { CheckContext, FaultCheck } from './check.ts';
import { createDoorClient, firstClientState } from './door-client.ts';
import { judge, readStored, sentTotals } from './oracle.ts';
import { settled } from './settled.ts';
import { mountSmallDisk } from './small-disk.ts';

/** A place that fills up. */
interface Place {
  readonly name: string;
  /** Where the small disk is mounted, below the data directory unless it starts with `/`. */
  readonly path: string;
  readonly sizeMiB: number;
  /** Whether the door must refuse while it is full: only the log stands between an acknowledgment and the disk. */
  readonly refuses: boolean;
}

const places: readonly Place[] = [
  { name: 'log', path: 'log', sizeMiB: 32, refuses: true },
  { name: 'engine', path: 'store', sizeMiB: 160, refuses: false },
  { name: 'everything', path: '.', sizeMiB: 256, refuses: true },
  { name: 'temporary files', path: 'tmp', sizeMiB: 8, refuses: false },
];

/** C07: one place after the other is full, under load, and gets room again. */
export const fullDisk: FaultCheck = {
  id: 'C07',
  title: 'ENOSPC on the log, on the engine, on the whole data directory, on temporary files',
  guarantee:
    'the door answers 503 with Retry-After where it cannot keep what it is given, all goes on by itself when there is room again, and nothing acknowledged is lost',
  async run(context) {
    const chosen = context.size === 'full' ? places : places.slice(0, 1);
    const wrong: string[] = [];
    const figures: string[] = [];
    for (const place of chosen) {
      if (Date.now() > context.deadline) return { passed: false, unfinished: true, figure: figures.join('; ') };
      const { figure, problems } = await fill(context, place);
      figures.push(figure);
      wrong.push(...problems.map((problem) => `${place.name}: ${problem}`));
      context.progress(figure);
    }
    return { passed: wrong.length === 0, figure: figures.join('; '), details: wrong.slice(0, 20) };
  },
};

async function fill(context: CheckContext, place: Place): Promise<{ figure: string; problems: string[] }> {
  const home = join(context.dir, place.path === '.' ? 'all' : place.path);
  const dataDir = join(home, 'data');
  mkdirSync(dataDir, { recursive: true });
  const disk = mountSmallDisk(join(dataDir, place.path), place.sizeMiB);
  if (disk === null)
    return { figure: `${place.name}: not tried`, problems: ['mounting is not allowed here: run it where it is'] };
  const problems: string[] = [];
  try {
    const environment = { PULSE_LOG_LEVEL: 'fatal', ...(place.path === 'tmp' ? { TMPDIR: join(dataDir, 'tmp') } : {}) };
    const pulse = await startPulse({ dataDir, environment });
    const state = await firstClientState(pulse);
    const client = createDoorClient({ dir: home, state, pulse: () => pulse });
    const counts = { acknowledged: 0, refused: 0 };
    try {
      for (let index = 0; index < 5; index += 1) await client.sendNew();
      disk.fill();
      for (let index = 0; index < (context.size === 'full' ? 60 : 8); index += 1) {
        const { status, retryAfter } = await client.sendNew();
        if (status === 200) counts.acknowledged += 1;
        else if (status === 503 && retryAfter !== null) counts.refused += 1;
        else problems.push(`answered ${status}, Retry-After ${retryAfter}`);
        await sleep(20);
      }
      if (place.refuses && counts.refused === 0) problems.push('nothing was refused while the disk was full');
      disk.free();
      await until(
        () => client.sendPending(),
        (left) => left === 0,
        60,
      );
      await settled(pulse, 90);
    } catch (error) {
      problems.push(`${error instanceof Error ? error.message : String(error)}`, pulse.output().slice(-600));
    } finally {
      client.close();
      await pulse.stop();
    }
    const { differences } = await judge(sentTotals(client.requests), () => readStored(dataDir));
    problems.push(...differences);
    const figure = `${place.name} full: ${counts.refused} refused with 503, ${counts.acknowledged} acknowledged, ${differences.length} totals lost`;
    return { figure, problems };
  } finally {
    disk.remove();
  }
}
