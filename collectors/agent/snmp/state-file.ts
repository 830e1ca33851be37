import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { DeviceState } from './device-state.ts';

const Whole = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform(BigInt);
const Kept = z.record(
  z.string(),
  z.object({
    upTimeTicks: z.number().int().min(0),
    atMs: z.number(),
    epoch: z.number().int().min(0),
    counters: z.record(
      z.string(),
      z.object({
        raw: Whole,
        bits: z.literal([32, 64]),
        total: Whole,
        startMs: z.number(),
        atMs: z.number(),
        epoch: z.number().int().min(0),
        discontinuity: z.number().nullable(),
      }),
    ),
  }),
);

/**
 * Counters across the agent's own restarts, so that what a device counted meanwhile is not lost.
 *
 * *Bias* an older file is as good as the newest: totals are differences of the device's own counters, and whatever does not fit together starts anew.
 * An unreadable file is as none.
 */
export async function loadStates(file: string): Promise<Map<string, DeviceState>> {
  const content = await readFile(file, 'utf8').catch(() => undefined);
  if (content === undefined) return new Map();
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch {
    return new Map();
  }
  const parsed = Kept.safeParse(json);
  if (!parsed.success) return new Map();
  return new Map(
    Object.entries(parsed.data).map(([device, state]) => [
      device,
      { ...state, counters: new Map(Object.entries(state.counters)) },
    ]),
  );
}

/** Replaces the file at once or not at all. */
export async function saveStates(file: string, states: ReadonlyMap<string, DeviceState>): Promise<void> {
  const plain = Object.fromEntries(
    [...states].map(([device, state]) => [device, { ...state, counters: Object.fromEntries(state.counters) }]),
  );
  const text = JSON.stringify(plain, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(`${file}.next`, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.next`, file);
}
