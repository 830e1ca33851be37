import { cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startedLog, texts } from '../../streams/log/test-disk.ts';
import type { FaultCheck } from './check.ts';

/** Records of several sizes, the larger ones compressed in their frames. */
const records = Array.from({ length: 24 }, (_, index) =>
  index % 6 === 5 ? `record ${index} ${'a repeating text '.repeat(60)}` : `record ${index} ${'x'.repeat(index * 3)}`,
);

interface Damage {
  readonly name: string;
  /** Spoils the segment of a copy. */
  apply(segment: string, bytes: Buffer): Promise<void>;
  /** What may be read afterwards: a beginning of the records (a cut), or nothing but an error (a flip). */
  readonly allowed: 'beginning' | 'error';
}

/** C06: the log is cut at every byte of its tail, and single bits are flipped in its middle and in an older segment. */
export const damagedLog: FaultCheck = {
  id: 'C06',
  title: 'truncated tail, flipped bits',
  guarantee:
    'a torn tail is trimmed and said, damage to what was on disk is refused by name, and nothing is lost or changed in silence',
  async run(context) {
    const original = join(context.dir, 'original');
    await rm(context.dir, { recursive: true, force: true });
    await mkdir(context.dir, { recursive: true });
    // Small segments: the newest is verified at the start, older ones when they are read.
    const log = await startedLog(original, { segmentBytes: 3000 });
    for (const text of records) await log.append('decisions', [{ key: 'k', headers: {}, payload: Buffer.from(text) }]);
    await log.stop();
    const folder = join('decisions', '0');
    const names = (await readdir(join(original, folder))).filter((name) => name.endsWith('.segment')).sort();
    const [oldest = '', newest = ''] = [names[0], names.at(-1)];
    const step = context.size === 'full' ? 1 : 25;
    const damages: { readonly segment: string; readonly damage: Damage }[] = [
      ...cuts((await readFile(join(original, folder, newest))).length, step).map((damage) => ({
        segment: newest,
        damage,
      })),
      ...flips((await readFile(join(original, folder, newest))).length, step).map((damage) => ({
        segment: newest,
        damage,
      })),
      ...flips((await readFile(join(original, folder, oldest))).length, step * 2).map((damage) => ({
        segment: oldest,
        damage,
      })),
    ];
    const silent: string[] = [];
    let [trimmed, refused] = [0, 0];
    const copy = join(context.dir, 'copy');
    for (const [index, { segment, damage }] of damages.entries()) {
      await rm(copy, { recursive: true, force: true });
      await cp(original, copy, { recursive: true });
      const file = join(copy, folder, segment);
      await damage.apply(file, await readFile(file));
      const verdict = await verdictOf(copy, damage);
      if (verdict === 'trimmed') trimmed += 1;
      else if (verdict === 'refused') refused += 1;
      else silent.push(`${segment}: ${damage.name}: ${verdict}`);
      if (index % 500 === 499) context.progress(`${index + 1} of ${damages.length}`);
    }
    await rm(copy, { recursive: true, force: true });
    return {
      passed: silent.length === 0 && trimmed > 0 && refused > 0,
      figure: `${trimmed} cuts trimmed and said, ${refused} flipped bits refused, ${silent.length} silent`,
      details: silent.slice(0, 20),
    };
  },
};

function cuts(size: number, step: number): Damage[] {
  return Array.from({ length: Math.ceil(size / step) }, (_, index) => ({
    name: `cut at byte ${index * step}`,
    allowed: 'beginning' as const,
    apply: (file: string) => truncate(file, index * step),
  }));
}

function flips(size: number, step: number): Damage[] {
  return Array.from({ length: Math.ceil(size / step) }, (_, index) => {
    const at = index * step;
    return {
      name: `bit ${at % 8} of byte ${at} flipped`,
      allowed: 'error' as const,
      apply: async (file: string, bytes: Buffer) => {
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
        await writeFile(file, bytes);
      },
    };
  });
}

/** Opens and reads the whole log; anything but what is allowed is described. */
async function verdictOf(dir: string, damage: Damage): Promise<string> {
  const said: string[] = [];
  const note = (_fields: object, message: string) => void said.push(message);
  let read: string[];
  try {
    const log = await startedLog(dir, { segmentBytes: 3000, logger: { warn: note, error: note } });
    try {
      read = await texts(log);
    } finally {
      await log.stop();
    }
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== 'log.corrupt') return `failed with ${code ?? String(error)}`;
    return damage.allowed === 'error' ? 'refused' : 'a cut tail was refused';
  }
  if (damage.allowed === 'error') return `read ${read.length} records`;
  if (read.some((text, index) => text !== records[index])) return 'records changed';
  return said.length > 0 ? 'trimmed' : `${records.length - read.length} records gone without a word`;
}
