import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';

const root = join(import.meta.dirname, '../..');
const text = (path: string) => readFileSync(join(root, path), 'utf8');

/** Whose process has the routes of a slice; all others are the API's. */
const owners: Readonly<Record<string, string>> = {
  'ingest/otlp': 'ingest',
  'ingest/monitoring': 'ingest',
  'ingest/usage-events': 'ingest',
  'ingest/remote-write': 'ingest',
  'streams/replay': 'streams',
  'streams/backup': 'streams',
};

/** Every path that a route of the project names, with the process that has it. */
const routes = globSync('{streams,ingest,analytics,billing-rater,orchestrator}/**/*http*.ts', { cwd: root })
  .filter((file) => !/\.test\.ts$|\/node_modules\//.test(file))
  .flatMap((file) =>
    [...text(file).matchAll(/['`](\/(?:api\/v1|v1|\.well-known)\/[^'`\s?)]*)['`]/g)].map((match) => ({
      path: (match[1] ?? '').replaceAll(/\$\{[^}]*\}|:\w+|[{}]/g, 'x'),
      owner: owners[dirname(file)] ?? 'api',
    })),
  )
  // Clients of OTLP name its paths too.
  .filter(({ path, owner }) => owner === 'ingest' || !path.startsWith('/v1/'));

type Routing = (path: string) => string;

/** The proxy of the compose file: its handles in order, patterns with a star at the end. */
const caddy: Routing = (() => {
  const site = text('deploy/compose/proxy/Caddyfile');
  const named = new Map(
    [...site.matchAll(/@(\w+) path (.*)/g)].map((match) => [match[1], (match[2] ?? '').split(' ')]),
  );
  const handles = [...site.matchAll(/handle( @?[^{\s]+)? \{\s+reverse_proxy ([a-z]+):/g)].map((match) => {
    const name = match[1]?.trim() ?? '';
    return {
      patterns: name === '' ? ['/*'] : name.startsWith('@') ? (named.get(name.slice(1)) ?? []) : [name],
      to: match[2] ?? '',
    };
  });
  const fits = (pattern: string, path: string) =>
    pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
  return (path) => handles.find(({ patterns }) => patterns.some((pattern) => fits(pattern, path)))?.to ?? '';
})();

/** The Ingress: an exact path, or the longest whose elements the request's path begins with. */
const ingress: Routing = (() => {
  const [first] = parseAllDocuments(text('deploy/kubernetes/base/ingress.yaml'));
  const paths = first?.toJS().spec.rules[0].http.paths as {
    path: string;
    pathType: string;
    backend: { service: { name: string } };
  }[];
  return (path) => {
    const fitting = paths.filter(
      (one) => path === one.path || (one.pathType === 'Prefix' && path.startsWith(`${one.path.replace(/\/$/, '')}/`)),
    );
    const longest = fitting.toSorted((a, b) => b.path.length - a.path.length)[0];
    return longest?.backend.service.name.replace('pulse-', '') ?? '';
  };
})();

describe.each([
  ['the proxy of the compose file', caddy],
  ['the Ingress', ingress],
] as const)('%s', (_name, route) => {
  test('leads every route of the project to the process that has it', () => {
    const wrong = routes
      .filter(({ path, owner }) => route(path) !== owner)
      .map(({ path, owner }) => `${path}: ${route(path)} instead of ${owner}`);
    expect(wrong).toEqual([]);
    expect(routes.length).toBeGreaterThan(40);
    for (const owner of new Set(Object.values(owners))) expect(routes.some((one) => one.owner === owner)).toBe(true);
  });

  test('leads pages to the portal', () => {
    for (const path of ['/', '/tenants/isp-alpha', '/assets/index.js']) expect(route(path)).toBe('web');
    expect([route('/api/docs'), route('/api/openapi.json')]).toEqual(['api', 'api']);
  });
});
