import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { checkDirectory } from './backup-directory.ts';

const home = mkdtempSync(join(tmpdir(), 'pulse-backup-directory-'));
const dataDir = join(home, 'data');
afterAll(() => rmSync(home, { recursive: true, force: true }));

test('a directory is made with its parents, for its owner alone, and one that is there is taken as it is', async () => {
  const directory = join(home, 'backups/of/pulse');
  await checkDirectory(directory, dataDir);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  await checkDirectory(`${directory}/`, dataDir);
});

test.each([
  ['/proc, where nothing can be made and nothing says so', '/proc/pulse/backups'],
  ['a file system without writing', '/sys/pulse'],
  ['a path through a file', join(home, 'a-file/backups')],
  ['a name that is too long', join(home, 'x'.repeat(300))],
  ['a name with a zero byte', `${home}/a\0b`],
])('%s: refused at once', { timeout: 5000 }, async (_, directory) => {
  writeFileSync(join(home, 'a-file'), '');
  await expect(checkDirectory(directory, dataDir)).rejects.toMatchObject({
    code: 'backup.directory_invalid',
    status: 400,
    field: 'directory',
  });
});
