import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

const root = join(import.meta.dirname, '..');
const file = parse(readFileSync(join(import.meta.dirname, 'prometheus/pulse-alerts.yaml'), 'utf8')) as {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
};
const rules = file.groups.flatMap((group) => group.rules);

/** Names of every metric that a process of Pulse registers. */
const registered = new Set(
  globSync('{streams,ingest,analytics,billing-rater,orchestrator}/**/*.ts', { cwd: root })
    .filter((path) => !/node_modules|\.test\.ts$/.test(path))
    .flatMap((path) => [...readFileSync(join(root, path), 'utf8').matchAll(/name: '(pulse_\w+)'/g)])
    .map((match) => match[1]),
);

test('every rule asks for metrics that exist and says what to do', () => {
  expect(registered.size).toBeGreaterThan(25);
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  for (const { alert, expr, labels, annotations } of rules) {
    const named = [...expr.matchAll(/\bpulse_\w+/g)].map(([name]) => name);
    expect(named.length + (expr.startsWith('up{') ? 1 : 0), alert).toBeGreaterThan(0);
    for (const name of named) expect([...registered], alert).toContain(name);
    expect(['page', 'ticket'], alert).toContain(labels.severity);
    expect(annotations.description.length, alert).toBeGreaterThan(40);
  }
});
