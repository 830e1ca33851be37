import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { sourceFiles } from './source-files.ts';

/** Folders of the project and the project's own packages that each may import; npm packages and Node are free unless {@link pureFolders} says otherwise. */
const folders: Readonly<Record<string, readonly RegExp[]>> = {
  streams: [],
  collectors: [/^streams\/[a-z]+$/, /^@dotmac\/pulse-sdk$/],
  ingest: [/^streams\/[a-z]+$/],
  analytics: [/^streams\/[a-z]+$/],
  'billing-rater': [/^streams\/[a-z]+$/],
  orchestrator: [/^streams\/[a-z]+$/],
  dashboards: [/^streams\/contract$/],
  web: [/^streams\/contract$/, /^billing-rater\/rating$/],
  bin: [/^streams\/contract$/, /^[a-z-]+\/cli$/],
};

const ownPackages = [...Object.keys(folders), '@dotmac/pulse-sdk'];

/** Folders whose code computes only: no clock, randomness, environment, client or logger. Their tests are free. */
const pureFolders = ['streams/contract', 'streams/otlp', 'billing-rater/rating'];
const pureImports = [/^zod$/, /^temporal-polyfill$/, /^node:crypto$/];

/** Files that may read the environment: the one place, and the entry points that hand it over. */
const environmentReaders = [
  /^main\.ts$/,
  /^streams\/runtime\/(config|tracing)\.ts$/,
  /^bin\//,
  /^scripts\//,
  /^tests\//,
  /\.test\.ts$/,
  /^web\//,
  /^collectors\/sdk\//,
];

interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const importPattern = /(?:\bfrom\s+|\bimport\s+|\bimport\(\s*)['"]([^'"]+)['"]/g;

/** Reads every TypeScript file below `root` with what it imports. */
export function readSources(root: string): SourceFile[] {
  return sourceFiles(root)
    .filter((path) => /\.tsx?$/.test(path))
    .map((path) => {
      const text = readFileSync(join(root, path), 'utf8').replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, '');
      return { path, text, imports: [...text.matchAll(importPattern)].map((match) => match[1] ?? '') };
    });
}

const isTest = (path: string) => /\.test\.tsx?$|\.bench\.ts$|(^|\/)(testing|testdata|mock)\//.test(path);
const folderOf = (path: string) => path.split('/')[0] ?? '';

/** A forbidden import or construct; `rule` is the name a fixture is kept under. */
export interface Violation {
  readonly rule: string;
  readonly path: string;
  readonly detail: string;
}

type Rule = (file: SourceFile, root: string) => string[];

/** Every rule of the architecture by name. */
export const rules: Readonly<Record<string, Rule>> = {
  'folder-boundaries': (file) => {
    const allowed = folders[folderOf(file.path)];
    if (allowed === undefined) return [];
    return file.imports
      .filter((name) => ownPackages.some((own) => name === own || name.startsWith(`${own}/`)))
      .filter(
        (name) => !allowed.some((pattern) => pattern.test(name)) && !(isTest(file.path) && /^streams\//.test(name)),
      )
      .filter((name) => !(folderOf(file.path) === 'streams' && /^streams\/[a-z]+$/.test(name)))
      .map((name) => `imports ${name}`);
  },
  'relative-stays-inside': (file, root) => {
    const own = folderOf(file.path);
    if (!(own in folders)) return [];
    return file.imports
      .filter((name) => name.startsWith('.'))
      .map((name) =>
        relative(root, resolve(root, dirname(file.path), name))
          .split(sep)
          .join('/'),
      )
      .filter((target) => folderOf(target) !== own)
      .map((target) => `reaches into ${target}`);
  },
  'pure-core': (file) => {
    if (isTest(file.path) || !pureFolders.some((folder) => file.path.startsWith(`${folder}/`))) return [];
    const foreign = file.imports.filter((name) => !name.startsWith('.') && !/^streams\/contract$/.test(name));
    return [
      ...foreign.filter((name) => !pureImports.some((pattern) => pattern.test(name))).map((name) => `imports ${name}`),
      ...['Date.now(', 'Math.random(', 'process.', 'console.']
        .filter((use) => file.text.includes(use))
        .map((use) => `uses ${use}`),
    ];
  },
  'contract-is-the-root': (file) =>
    file.path.startsWith('streams/contract/') && !isTest(file.path)
      ? file.imports.filter((name) => name.startsWith('../')).map((name) => `imports ${name}`)
      : [],
  'one-environment-reader': (file) =>
    /process\.env\b/.test(file.text) && !environmentReaders.some((pattern) => pattern.test(file.path))
      ? ['reads process.env']
      : [],
  'no-star-export': (file) => (/^\s*export \*/m.test(file.text) ? ['has export *'] : []),
  'no-default-export': (file) =>
    /^\s*export default\b/m.test(file.text) && !/\.config\.ts$/.test(file.path) ? ['has a default export'] : [],
  'no-enum': (file) => (/^\s*(export )?(const )?enum\s/m.test(file.text) ? ['has an enum'] : []),
  'modules-only-in-main': (file) =>
    file.imports
      .filter((name) => /^[a-z-]+\/module$/.test(name) && file.path !== 'main.ts' && !isTest(file.path))
      .map((name) => `imports ${name}: only main.ts composes`),
};

/** Checks a tree; an empty answer means that it keeps every rule. */
export function findViolations(root: string): Violation[] {
  return readSources(root).flatMap((file) =>
    Object.entries(rules).flatMap(([rule, check]) =>
      check(file, root).map((detail) => ({ rule, path: file.path, detail })),
    ),
  );
}
