import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PulseProcess, startPulse, until } from '../pulse-process.ts';

const script = join(import.meta.dirname, 'prometheus.sh');
const rules = join(import.meta.dirname, '../../dashboards/prometheus/pulse-alerts.yaml');
const dir = mkdtempSync(join(tmpdir(), 'pulse-alert-rules-'));

interface Rule {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
  readonly state: 'inactive' | 'pending' | 'firing';
  readonly lastEvaluation: string;
}

let pulse: PulseProcess;
let prometheus: string;

beforeAll(async () => {
  execFileSync(script, ['install'], { stdio: ['ignore', 'inherit', 'inherit'] });
  pulse = await startPulse();
  writeFileSync(
    join(dir, 'prometheus.yml'),
    `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: ['${rules}']
scrape_configs: [{ job_name: pulse, static_configs: [{ targets: ['${new URL(pulse.http).host}'] }] }]
`,
  );
  prometheus = execFileSync(script, ['start', dir], { stdio: ['ignore', 'pipe', 'inherit'] })
    .toString()
    .trim();
}, 900_000);
afterAll(async () => {
  execFileSync(script, ['stop', dir]);
  await pulse?.stop();
  if (pulse !== undefined) rmSync(pulse.dataDir, { recursive: true, force: true });
  rmSync(dir, { recursive: true, force: true });
});

async function readRules(): Promise<Rule[]> {
  const answer = (await (await fetch(`${prometheus}/api/v1/rules?type=alert`)).json()) as {
    data: { groups: { rules: Rule[] }[] };
  };
  return answer.data.groups.flatMap((group) => group.rules);
}

async function value(expression: string): Promise<number | null> {
  const url = `${prometheus}/api/v1/query?query=${encodeURIComponent(expression)}`;
  const answer = (await (await fetch(url)).json()) as { data: { result: { value: [number, string] }[] } };
  const [first] = answer.data.result;
  return first === undefined ? null : Number(first.value[1]);
}

test('a real Prometheus evaluates every rule, and a server that is well gives no alert', async () => {
  // The ledger has been looked at, and twice scraped after that.
  await until(
    () => value('count_over_time(pulse_ledger_looked_at_seconds[1m])'),
    (count) => (count ?? 0) >= 2,
    90,
  );
  const all = await until(
    readRules,
    (found) => found.length > 10 && found.every(({ health }) => health !== 'unknown'),
    30,
  );
  expect(all.map(({ name, health, lastError }) => [name, health, lastError ?? ''])).toEqual(
    all.map(({ name }) => [name, 'ok', '']),
  );
  expect(all.filter(({ state }) => state !== 'inactive').map(({ name }) => name)).toEqual([]);
  // Rules about jobs look at every job by its name: without one they would be silent for ever.
  const jobs = await value(
    'count(count by (job_name) (label_replace(pulse_leader, "job_name", "$1", "exported_job", "(.+)")))',
  );
  expect(jobs ?? 0).toBeGreaterThan(3);
});

test('a process that is gone is noticed', async () => {
  await pulse.kill();
  const down = async () => (await readRules()).find(({ name }) => name === 'PulseProcessDown')?.state;
  expect(await until(down, (state) => state !== 'inactive', 30)).toBe('pending');
});
