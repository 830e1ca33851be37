import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Lists every locked dependency with version and licence, and fails on a licence that is not allow-listed or on an install script that is not (check C60).
 * `npm ci --ignore-scripts` works, so no script has to run at all.
 */
const root = join(import.meta.dirname, '..');
const allowed =
  /^(MIT|MIT-0|ISC|Apache-2\.0|BSD-2-Clause|BSD-3-Clause|0BSD|BlueOak-1\.0\.0|CC0-1\.0|CC-BY-4\.0|MPL-2\.0|Python-2\.0|Unlicense|OFL-1\.1|PostgreSQL|Zlib)$/;

interface LockEntry {
  readonly version?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
  readonly optional?: boolean;
  readonly license?: string;
}

const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, LockEntry>;
};
const { allowScripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  allowScripts: Record<string, boolean>;
};

function licenceOf(path: string, entry: LockEntry): string {
  try {
    const manifest = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')) as {
      license?: string | { type: string };
      licenses?: readonly { type: string }[];
    };
    if (typeof manifest.license === 'string') return manifest.license;
    if (manifest.license !== undefined) return manifest.license.type;
    // The form before SPDX, still found in old packages.
    if (manifest.licenses !== undefined) return manifest.licenses.map(({ type }) => type).join(' OR ');
  } catch {
    // Another platform's optional package is not installed here; the lockfile may know its licence.
  }
  return entry.license ?? (entry.optional ? 'not installed here' : 'unknown');
}

const isAllowed = (licence: string) =>
  licence === 'not installed here' ||
  licence
    .replaceAll(/[()]/g, '')
    .split(/ OR /)
    .some((part) => part.split(' AND ').every((name) => allowed.test(name)));

const problems: string[] = [];
let count = 0;
for (const [path, entry] of Object.entries(lock.packages)) {
  if (!path.startsWith('node_modules/') || entry.link) continue;
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const licence = licenceOf(path, entry);
  count += 1;
  process.stdout.write(
    `${name.padEnd(60)} ${String(entry.version).padEnd(16)} ${licence}${entry.hasInstallScript ? '  (install script)' : ''}\n`,
  );
  if (!isAllowed(licence)) problems.push(`${name}: licence ${licence} is not allow-listed`);
  if (entry.hasInstallScript && allowScripts[name] === undefined) {
    problems.push(`${name}: package.json does not say in allowScripts whether its install script may run`);
  }
}
process.stdout.write(`\n${count} packages, ${problems.length} problem(s)\n`);
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exit(problems.length === 0 ? 0 : 1);
