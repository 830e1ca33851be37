import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startedLog, temporaryDirectory } from './test-disk.ts';

const rounds = 6;

/** Starts a writer on the directory, kills it after a random time under load. */
async function killedWriter(dir: string, ledger: string, round: number): Promise<void> {
  const script = join(import.meta.dirname, 'crash-writer.ts');
  const child = spawn(process.execPath, [script, dir, ledger, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), exited]);
  await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 250));
  child.kill('SIGKILL');
  const [, signal] = await exited;
  expect(signal).toBe('SIGKILL');
}

it('a process killed at any moment loses no acknowledged record, keeps each once and in order', async () => {
  const { dir, remove } = await temporaryDirectory();
  try {
    const ledger = join(dir, 'ledger');
    await writeFile(ledger, '');
    for (let round = 0; round < rounds; round++) await killedWriter(join(dir, 'log'), ledger, round);
    const lines = (await readFile(ledger, 'utf8')).split('\n').slice(0, -1);
    expect(lines.length).toBeGreaterThan(rounds);
    const log = await startedLog(join(dir, 'log'));
    const names: string[] = [];
    const [range] = await log.offsets('decisions');
    for await (const record of log.read('decisions', 0, 0, range?.next ?? 0)) {
      expect(record.offset).toBe(names.length);
      expect(Buffer.from(record.payload)).toEqual(Buffer.alloc(record.payload.length, record.key));
      names.push(record.key);
    }
    expect(names.length).toBe(range?.next);
    expect(new Set(names).size).toBe(names.length);
    for (const line of lines) {
      const [offset, name] = line.split(' ');
      expect(names[Number(offset)]).toBe(name);
    }
    // Unacknowledged records may be there, but only those in flight when the process died: at most one a writer and round.
    expect(names.length - lines.length).toBeLessThanOrEqual(8 * rounds);
    await log.stop();
  } finally {
    await remove();
  }
});
