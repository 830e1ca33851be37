// `npm pack` needs a manifest that points at JavaScript; the workspace needs one that points at TypeScript.
// `before` (prepack) compiles and swaps the entry points, `after` (postpack) puts the workspace's manifest back.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const manifest = join(folder, 'package.json');
const kept = join(folder, 'dist', 'package.workspace.json');
const step = process.argv[2];

if (step === 'before') {
  const source = JSON.parse(readFileSync(manifest, 'utf8'));
  if (source.exports['.'] !== './index.ts') {
    throw new Error(
      'package.json is not the workspace one: an earlier pack was interrupted, restore it from version control',
    );
  }
  rmSync(join(folder, 'dist'), { recursive: true, force: true });
  const compiler = join(dirname(createRequire(manifest).resolve('typescript/package.json')), 'bin', 'tsc');
  execFileSync(process.execPath, [compiler, '-p', join(folder, 'tsconfig.json')], { stdio: ['ignore', 2, 2] });
  copyFileSync(manifest, kept);
  source.exports = { '.': { types: './dist/index.d.ts', default: './dist/index.js' } };
  source.types = './dist/index.d.ts';
  delete source.scripts;
  delete source.devDependencies;
  writeFileSync(manifest, `${JSON.stringify(source, null, 2)}\n`);
} else if (step === 'after') {
  if (existsSync(kept)) renameSync(kept, manifest);
} else {
  throw new Error('usage: node pack.mjs before|after');
}
