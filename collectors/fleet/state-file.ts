import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from 'streams/contract';
import { z } from 'zod';

/** What the fleet remembers between starts. `sentToMs` is exclusive: everything before it is acknowledged. */
const FleetState = z.object({
  version: z.literal(1),
  seed: z.number().int(),
  epochMs: z.number().int(),
  tenants: z.record(z.string(), z.object({ apiKey: z.string(), sentToMs: z.number() })),
});
export type FleetState = z.infer<typeof FleetState>;

/** Reads the state; undefined when there is none yet. *Errors* `fleet.state_invalid`: the file is there and unreadable, it is not overwritten. */
export async function readState(file: string): Promise<FleetState | undefined> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new AppError('fleet.state_invalid', `${file} cannot be read`, { cause: error });
  }
  try {
    return FleetState.parse(JSON.parse(content));
  } catch (error) {
    throw new AppError('fleet.state_invalid', `${file} is not a fleet state; move it away to start over`, {
      cause: error,
    });
  }
}

/** Writes the state atomically, readable by its owner only: it holds API keys. */
export async function writeState(file: string, state: FleetState): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const next = `${file}.next`;
  const handle = await open(next, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify(state));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(next, file);
}
