// Completes a lockfile whose registry view lacks other platforms' optional packages.
import { readFileSync, writeFileSync } from 'node:fs';

const f = process.argv[2];
const lock = JSON.parse(readFileSync(f, 'utf8'));
const P = lock.packages;
let n = 0;
const plat = (name) => {
  const os = /darwin/.test(name)
    ? 'darwin'
    : /win32|win-/.test(name)
      ? 'win32'
      : /android/.test(name)
        ? 'android'
        : 'linux';
  const cpu = /arm64/.test(name) ? 'arm64' : /x64/.test(name) ? 'x64' : 'x64';
  return {
    cpu: [cpu],
    ...(/musl/.test(name) ? { libc: ['musl'] } : /gnu/.test(name) ? { libc: ['glibc'] } : {}),
    os: [os],
  };
};
for (const [path, e] of Object.entries(P))
  for (const [dep, v] of Object.entries(e.optionalDependencies ?? {})) {
    let at = path,
      found = false;
    for (;;) {
      const c = (at ? at + '/' : '') + 'node_modules/' + dep;
      if (P[c]) {
        found = true;
        break;
      }
      if (!at) break;
      at = at.includes('node_modules/') ? at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1)) : '';
    }
    if (!found) {
      P['node_modules/' + dep] = {
        version: v.replace(/^[\^~]/, ''),
        ...plat(dep),
        ...(e.dev ? { dev: true } : {}),
        optional: true,
      };
      n++;
      console.log('added', dep, v, JSON.stringify(plat(dep)));
    }
  }
const sorted = Object.fromEntries(Object.entries(P).sort(([a], [b]) => a.localeCompare(b, 'en')));
lock.packages = sorted;
writeFileSync(f, JSON.stringify(lock, null, 2) + '\n');
console.log('entries added:', n);
