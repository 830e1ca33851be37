// Completes package-lock.json after `npm install` on a registry view that lacks other platforms' optional packages: without these entries
// `npm ci` refuses the lockfile. Entries carry no integrity, because nothing was fetched to compute one.
// Usage: node scripts/complete-lockfile.mjs package-lock.json
import { readFileSync, writeFileSync } from 'node:fs';

const file = process.argv[2] ?? 'package-lock.json';
const lock = JSON.parse(readFileSync(file, 'utf8'));
const packages = lock.packages;

/** What npm writes about the platform of a prebuilt package, read from its name. */
function platformOf(name) {
  const os = [
    ['darwin', /darwin/],
    ['win32', /win32|win-/],
    ['android', /android/],
    ['freebsd', /freebsd/],
  ].find(([, pattern]) => pattern.test(name))?.[0];
  const cpu = /arm64|aarch64/.test(name) ? 'arm64' : /arm/.test(name) ? 'arm' : 'x64';
  const libc = /musl/.test(name) ? ['musl'] : /gnu/.test(name) ? ['glibc'] : undefined;
  return { cpu: [cpu], ...(libc ? { libc } : {}), os: [os ?? 'linux'] };
}

/** Looks a dependency up as Node resolves it: from the package's own node_modules to the root's. */
function isLocked(from, dependency) {
  for (let at = from; ; ) {
    if (packages[`${at ? `${at}/` : ''}node_modules/${dependency}`]) return true;
    if (!at) return false;
    at = at.includes('node_modules/') ? at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1)) : '';
  }
}

let added = 0;
for (const [path, entry] of Object.entries(packages)) {
  for (const [dependency, range] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isLocked(path, dependency)) continue;
    const version = range.replace(/^[\^~]/, '');
    packages[`node_modules/${dependency}`] = {
      version,
      ...platformOf(dependency),
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
    };
    added += 1;
    console.log('added', dependency, version);
  }
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log('entries added:', added);
