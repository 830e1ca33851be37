import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { buildPortal, sourceHash } from './build.ts';

const root = mkdtempSync(join(tmpdir(), 'pulse-web-hash-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('the hash follows sources, contract and lockfile, and ignores tests', () => {
  const repository = fileURLToPath(new URL('..', import.meta.url));
  for (const part of ['web/src', 'web/index.html', 'web/vite.config.ts', 'streams/contract', 'package-lock.json']) {
    mkdirSync(join(root, part, '..'), { recursive: true });
    cpSync(join(repository, part), join(root, part), { recursive: true });
  }
  const first = sourceHash(root);
  expect(sourceHash(root)).toBe(first);
  writeFileSync(join(root, 'web/src/added.test.ts'), '');
  expect(sourceHash(root)).toBe(first);
  for (const path of ['web/src/added.tsx', 'streams/contract/added.ts', 'package-lock.json']) {
    const before = sourceHash(root);
    writeFileSync(join(root, path), 'changed');
    expect(sourceHash(root)).not.toBe(before);
  }
});

test('the same sources are built once', async () => {
  const outDir = join(root, 'dist');
  expect(await buildPortal({ outDir })).toEqual({ built: true, dir: outDir });
  expect(await buildPortal({ outDir })).toEqual({ built: false, dir: outDir });
  expect((await buildPortal({ outDir, force: true })).built).toBe(true);
});
