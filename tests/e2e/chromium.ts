import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome', 'microsoft-edge'];
const macPaths = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];
const fontFolders = ['/usr/share/fonts', '/usr/local/share/fonts', join(process.cwd(), '.fonts')];

function installedBrowser(): string | undefined {
  const folders = [
    '/usr/bin',
    '/usr/local/bin',
    '/snap/bin',
    '/opt/google/chrome',
    ...(process.env['PATH'] ?? '').split(delimiter),
  ];
  return [...folders.flatMap((folder) => names.map((name) => join(folder, name))), ...macPaths].find((path) =>
    existsSync(path),
  );
}

/** Debian packages that the packaged Chromium needs from the system and that are not there. */
export function missingPackages(): string[] {
  if (process.platform !== 'linux') return [];
  const libraries = loaderCache();
  const missing: string[] = [];
  if (!libraries.includes('libnss3.so')) missing.push('libnss3');
  if (!libraries.includes('libnspr4.so')) missing.push('libnspr4');
  if (!fontFolders.some(hasFont)) missing.push('fonts-dejavu-core');
  return missing;
}

function loaderCache(): string {
  for (const command of ['ldconfig', '/sbin/ldconfig', '/usr/sbin/ldconfig']) {
    try {
      return execFileSync(command, ['-p'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    } catch {
      // Another place may have it; without any, both libraries count as missing and are named.
    }
  }
  return '';
}

function hasFont(folder: string): boolean {
  if (!existsSync(folder)) return false;
  return readdirSync(folder, { recursive: true }).some((entry) => /\.(ttf|otf|pfb|woff2?)$/i.test(String(entry)));
}

/**
 * Starts a real Chromium: an installed one where there is one, otherwise the one inside `@sparticuz/chromium`.
 *
 * *Errors* names the system packages that are missing; a page test that cannot run fails instead of being skipped.
 */
export async function launchChromium(): Promise<Browser> {
  const installed = installedBrowser();
  if (installed !== undefined) return chromium.launch({ executablePath: installed, args: ['--no-sandbox'] });
  const missing = missingPackages();
  if (missing.length > 0) {
    throw new Error(
      `page tests need a Chromium: install one, or give the packaged one what it needs with: apt-get install -y ${missing.join(' ')}`,
    );
  }
  const packaged = (await import('@sparticuz/chromium')).default;
  // Its own arguments run everything in a single process, which breaks under load.
  return chromium.launch({ executablePath: await packaged.executablePath(), args: ['--no-sandbox'] });
}
