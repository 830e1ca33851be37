import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDataDirectory } from './data-directory.ts';

const module = join(import.meta.dirname, 'data-directory.ts');

/** Another process that holds the directory until it is killed. */
async function holder(dir: string) {
  const program = `import { openDataDirectory } from ${JSON.stringify(module)}; openDataDirectory(${JSON.stringify(dir)}); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

describe('a data directory', () => {
  test('in use by another process is refused, and free again after that process was killed', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'pulse-data-'));
    const child = await holder(dir);
    expect(() => openDataDirectory(dir)).toThrowError(expect.objectContaining({ code: 'data.in_use' }));
    child.kill('SIGKILL');
    await once(child, 'exit');
    openDataDirectory(dir).release();
  });

  test('from a newer version is refused and left as it is', () => {
    const dir = mkdtempSync(join(tmpdir(), 'pulse-data-'));
    openDataDirectory(dir).release();
    writeFileSync(join(dir, 'VERSION'), '99\n');
    expect(() => openDataDirectory(dir)).toThrowError(expect.objectContaining({ code: 'data.newer_version' }));
    expect(readFileSync(join(dir, 'VERSION'), 'utf8')).toBe('99\n');
  });

  test('with an unreadable version is refused, not repaired', () => {
    const dir = mkdtempSync(join(tmpdir(), 'pulse-data-'));
    writeFileSync(join(dir, 'VERSION'), 'abc');
    expect(() => openDataDirectory(dir)).toThrowError(expect.objectContaining({ code: 'data.unusable' }));
    // The refusal must not keep the lock.
    writeFileSync(join(dir, 'VERSION'), '1\n');
    openDataDirectory(dir).release();
  });
});
