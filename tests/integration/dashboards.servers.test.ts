import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@clickhouse/client';
import { expandMacros, type GrafanaScope } from 'dashboards/testing';
import { type FleetRow, periodAt, periodOf, type SlaReport } from 'streams/contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';

/*
 * Every panel's SQL as Grafana's data source sends it, through Pulse's ClickHouse interface with the official client, on a demo fleet; some panels are compared with the API's own answers.
 */
const folder = join(import.meta.dirname, '../../dashboards/generated');
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const configDir = mkdtempSync(join(tmpdir(), 'pulse-dashboards-'));
/** How long the history may take to be stored, rolled up and metered on a machine that does other things as well. */
const patience = 200;

interface Target {
  readonly rawSql: string;
  readonly format: number;
}
interface Panel {
  readonly title: string;
  readonly type: string;
  readonly interval?: string;
  readonly targets?: readonly Target[];
}
interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly query: string; readonly type: string }[];
  };
}
interface Answer {
  readonly meta: readonly { readonly name: string; readonly type: string }[];
  readonly data: Record<string, unknown>[];
}

const dashboards = readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Dashboard);
const panelsOf = (dashboard: Dashboard) => dashboard.panels.filter(({ type }) => type !== 'row');
const panelNamed = (title: string): Panel => {
  const found = dashboards.flatMap(panelsOf).find((panel) => panel.title === title);
  if (found === undefined) throw new Error(`no panel ${title}`);
  return found;
};

let pulse: PulseProcess & { readonly clickhouseHttp?: string };
const clients: { close(): Promise<void> }[] = [];

/** A client as a person of Grafana configures it: user name of any kind, token or key as the password. */
function clientOf(password: string) {
  const { clickhouseHttp } = pulse;
  if (clickhouseHttp === undefined) throw new Error('the server has no ClickHouse interface');
  const client = createClient({ url: clickhouseHttp, username: 'grafana', password });
  clients.push(client);
  return client;
}

async function ask(sql: string, password = pulse.token): Promise<Answer> {
  const result = await clientOf(password).query({ query: sql, format: 'JSON' });
  return (await result.json()) as unknown as Answer;
}

/** The step that Grafana works out: the range over the panel's width in points, not below the panel's least. */
function scopeOf(panel: Panel, fromMs: number, toMs: number, variables: Record<string, string> = {}): GrafanaScope {
  const least = /^(\d+)([smhd])$/.exec(panel.interval ?? '1s');
  const unit = { s: 1000, m: minuteMs, h: hourMs, d: 24 * hourMs }[least?.[2] ?? 's'] ?? 1000;
  const intervalMs = Math.max(Number(least?.[1] ?? 1) * unit, (toMs - fromMs) / 300);
  return { fromMs, toMs, intervalMs, variables: { tenant: 'isp-alpha', meter: 'api_calls', search: '', ...variables } };
}

async function askPanel(panel: Panel, scope: GrafanaScope, password?: string): Promise<Answer> {
  return ask(expandMacros(panel.targets?.[0]?.rawSql ?? '', scope), password);
}

beforeAll(
  async () => {
    // The ledger is looked at every minute; here somebody waits for it.
    const config = join(configDir, 'pulse.yaml');
    writeFileSync(config, 'billing: { ledgerIntervalSeconds: 2 }\n');
    pulse = (await startPulse({
      args: [`--config=${config}`],
      environment: {
        PULSE_DEMO: 'on',
        // Yesterday has hours that are pending until a quarter of an hour after midnight; the day before is settled.
        PULSE_DEMO_DAYS: '2',
        PULSE_DEMO_TENANTS: '2',
        PULSE_LOG_LEVEL: 'info',
        PULSE_CLICKHOUSE_HTTP_PORT: '0',
      },
    })) as typeof pulse;
    const line =
      pulse
        .output()
        .split('\n')
        .find((one) => one.startsWith('ready ')) ?? '';
    Object.assign(pulse, { clickhouseHttp: JSON.parse(line.slice('ready '.length)).clickhouseHttp });
    await until(
      async () => pulse.output(),
      (output) => output.includes('history is complete'),
      patience,
    );
    const settled = async () => {
      const { data } = await ask(
        "SELECT (SELECT count() FROM tenants) AS tenants, (SELECT uniqExact(tenant, meter) FROM billing_facts) AS meters, (SELECT uniqExact(bucket) FROM sla_hour) AS hours, (SELECT count() FROM ledger_kept WHERE source = 'days') AS settled_days, (SELECT countIf(t.newest > r.version) FROM (SELECT tenant, bucket, max(seq) AS newest FROM touched WHERE signal = 'metrics' AND bucket < now() - INTERVAL 2 HOUR GROUP BY tenant, bucket) AS t LEFT JOIN (SELECT tenant, bucket, max(version) AS version FROM rolled WHERE signal = 'metrics' GROUP BY tenant, bucket) AS r USING (tenant, bucket)) AS behind",
      );
      return Object.fromEntries(Object.entries(data[0] ?? {}).map(([name, value]) => [name, Number(value)]));
    };
    await until(
      settled,
      ({ tenants = 0, meters = 0, hours = 0, settled_days = 0, behind = 1 }) =>
        tenants >= 2 && meters >= 12 && hours >= 24 && settled_days >= 1 && behind === 0,
      patience,
    );
  },
  2.2 * patience * 1000,
);
afterAll(async () => {
  for (const client of clients) await client.close();
  await pulse?.stop();
  rmSync(configDir, { recursive: true, force: true });
  if (pulse !== undefined) rmSync(pulse.dataDir, { recursive: true, force: true });
});

/** Panels that are empty when all is well. */
const emptyWhenWell = new Set(['Dead letters']);
const isTime = (type: string | undefined) => /^(?:Nullable\()?DateTime/.test(type ?? '');
const isNumber = (type: string) => /^(?:Nullable\()?(?:U?Int|Float|Decimal)/.test(type);
const isText = (type: string) => /^(?:LowCardinality\()?String/.test(type);

describe.each(dashboards.map((one) => [one.uid, one] as const))('%s', (_uid, dashboard) => {
  test.each(panelsOf(dashboard).map((panel) => [panel.title, panel] as const))(
    '%s: answers what its panel draws',
    async (title, panel) => {
      const now = Date.now();
      // A settled day is at least a day away.
      for (const hours of title.startsWith('Conservation') ? [48, 72] : [6, 24]) {
        const answer = await askPanel(panel, scopeOf(panel, now - hours * hourMs, now));
        const types = answer.meta.map(({ type }) => type);
        if (!emptyWhenWell.has(title)) expect(answer.data.length, `${title} over ${hours} h`).toBeGreaterThan(0);
        if (panel.targets?.[0]?.format === 0) {
          expect([answer.meta[0]?.name, isTime(types[0])]).toEqual(['time', true]);
          const rest = types.slice(1);
          expect(rest.filter((type) => isText(type)).length, 'at most one label').toBeLessThanOrEqual(1);
          expect(rest.filter((type) => isNumber(type)).length).toBeGreaterThan(0);
          expect(
            rest.every((type) => isNumber(type) || isText(type)),
            rest.join(),
          ).toBe(true);
          const times = answer.data.map(({ time }) => Date.parse(`${String(time).replace(' ', 'T')}Z`));
          expect(times).toEqual(times.toSorted((a, b) => a - b));
          // By time of receipt, and the history came a minute ago.
          if (title !== 'Accepted by the doors') expect(new Set(times).size, 'more than one step').toBeGreaterThan(1);
          const keys = answer.data.map((row) =>
            JSON.stringify(Object.values(row).filter((_, index) => !isNumber(types[index] ?? ''))),
          );
          expect(new Set(keys).size, 'a series has one value a step').toBe(keys.length);
        }
        if (panel.type === 'stat') expect(types.every(isNumber), types.join()).toBe(true);
        if (panel.type === 'logs') {
          expect(answer.meta.slice(0, 3).map(({ name, type }) => [name, isTime(type) || isText(type)])).toEqual([
            ['timestamp', true],
            ['body', true],
            ['level', true],
          ]);
        }
      }
    },
  );

  test('its variables offer choices', async () => {
    for (const { name, query, type } of dashboard.templating.list) {
      if (type !== 'query') continue;
      const { data } = await ask(query);
      expect(data.length, name).toBeGreaterThan(1);
    }
  });
});

describe('the figures are those of the API', () => {
  const api = async <T>(path: string) => {
    const { status, body } = await call<T>(pulse, path);
    expect(status, path).toBe(200);
    return body;
  };

  test('service levels of a month in the zone of the tenant', async () => {
    const { items } = await api<{ items: FleetRow[] }>('/api/v1/analytics/fleet');
    expect(items.length).toBeGreaterThanOrEqual(2);
    for (const { tenant } of items) {
      const { period } = periodAt(Date.now(), tenant.timeZone);
      const { startMs } = periodOf(period, tenant.timeZone);
      // Both sides count the running minute once it is measured; a new minute between the two readings is read again.
      const both = async () => {
        const sla = await api<SlaReport>(`/api/v1/analytics/sla?tenant=${tenant.id}&period=${period}`);
        const { data } = await askPanel(
          panelNamed('Service level of the range'),
          scopeOf({ title: '', type: '' }, startMs, Date.now(), { tenant: tenant.id }),
        );
        const figures = data[0] ?? {};
        return {
          sla,
          attainment: figures['Attainment'],
          bad: Number(figures['Bad minutes']),
          budget: Number(figures['Budget']),
        };
      };
      const { sla, bad, budget } = await until(both, (one) => one.sla.attainment === one.attainment, 30);
      expect(bad * 60).toBe(sla.badSeconds);
      expect(budget).toBeCloseTo(sla.budgetRemaining ?? Number.NaN, 9);
    }
  });

  test('tenants of the fleet: health, customers, order', async () => {
    const table = panelNamed('Tenants, worst first');
    const compare = async () => {
      const { items } = await api<{ items: FleetRow[] }>('/api/v1/analytics/fleet');
      const { data } = await askPanel(table, scopeOf(table, Date.now() - 24 * hourMs, Date.now()));
      const names = ['up', 'degraded', 'down', 'unmeasured'];
      const shown = data.map((row) => [row['Tenant'], names[Number(row['Health'])], row['Customers']]);
      return {
        shown: shown.toSorted(),
        expected: items.map((one) => [one.tenant.id, one.health, one.customers]).toSorted(),
      };
    };
    const { shown, expected } = await until(
      compare,
      (one) => JSON.stringify(one.shown) === JSON.stringify(one.expected),
      40,
    );
    expect(shown).toEqual(expected);
    expect(expected.length).toBeGreaterThanOrEqual(2);
  });

  test('conservation: what the ledger says is stored of a settled day is what is there', async () => {
    const panel = panelNamed('Conservation, settled days');
    const settled = await askPanel(panel, scopeOf(panel, Date.now() - 72 * hourMs, Date.now()));
    const day = String(settled.data.find((row) => row['Handed over to'] === 'stored')?.['Newest day']);
    // That day alone: how many are settled depends on the hour of the day.
    const noon = Date.parse(`${day}T12:00:00Z`);
    const { data } = await askPanel(panel, scopeOf(panel, noon - hourMs, noon));
    const stored = data.find((row) => row['Handed over to'] === 'stored');
    expect(data.map((row) => Number(row['Mismatched']))).toEqual(data.map(() => 0));
    const { items } = await api<{ items: FleetRow[] }>('/api/v1/analytics/fleet');
    let counted = 0;
    for (const { tenant } of items) {
      const end = new Date(Date.parse(day) + 24 * hourMs).toISOString();
      const counts = await api<Record<string, number>>(
        `/api/v1/telemetry/counts?tenant=${tenant.id}&start=${day}T00:00:00Z&end=${end}`,
      );
      counted += Object.values(counts).reduce((sum, count) => sum + count, 0);
    }
    expect(Number(stored?.['Taken'])).toBe(counted);
    expect(counted).toBeGreaterThan(10_000);
  });

  /** A range that is over, on whole steps, so that both sides cut it alike. */
  const stepMs = 10 * minuteMs;
  const endMs = Math.floor((Date.now() - 3 * hourMs) / stepMs) * stepMs;
  const startMs = endMs - 12 * hourMs;
  const range = (metric: string, aggregate: string, groupBy = '') =>
    api<{ series: { attributes: Record<string, string>; points: [number, number][] }[] }>(
      `/api/v1/telemetry/metrics/range?tenant=isp-alpha&metric=${metric}&start=${new Date(startMs).toISOString()}&end=${new Date(endMs).toISOString()}&step=600s&aggregate=${aggregate}${groupBy === '' ? '' : `&groupBy=${groupBy}`}`,
    );
  /** The panel's values by step within the range. */
  const valuesOf = async (
    title: string,
    column: string,
    filter: (row: Record<string, unknown>) => boolean = () => true,
  ) => {
    const panel = panelNamed(title);
    // One millisecond less: the data source's ranges are closed.
    const { data } = await askPanel(panel, { ...scopeOf(panel, startMs, endMs - 1), intervalMs: stepMs });
    return new Map(
      data.filter(filter).map((row) => [Date.parse(`${String(row['time']).replace(' ', 'T')}Z`), Number(row[column])]),
    );
  };

  test('latency and requests from histograms, step by step', async () => {
    const [level] = (await range('http.server.request.duration', 'p95', 'resource.service.name')).series;
    const p95 = await valuesOf('Latency', 'p95');
    expect(level?.points.length).toBeGreaterThan(60);
    for (const [ms, value] of level?.points ?? [])
      expect(p95.get(ms), new Date(ms).toISOString()).toBeCloseTo(value, 9);

    const counted = (await range('http.server.request.duration', 'increase', 'http.response.status_code')).series;
    const ok = counted.find(({ attributes }) => attributes['http.response.status_code'] === '200');
    const seconds = stepMs / 1000;
    const requests = await valuesOf('Requests by status', 'requests', (row) => row['class'] === '2xx');
    expect(ok?.points.length).toBeGreaterThan(60);
    for (const [ms, value] of ok?.points ?? []) expect(requests.get(ms)).toBeCloseTo(value / seconds, 9);
  });

  test('CPU and network from the roll-ups, step by step', async () => {
    const [cpu] = (await range('container.cpu.usage', 'avg')).series;
    const cores = await valuesOf('CPU against the tier', 'used');
    expect(cpu?.points.length).toBeGreaterThan(60);
    for (const [ms, value] of cpu?.points ?? []) expect(cores.get(ms)).toBeCloseTo(value, 9);

    for (const { attributes, points } of (
      await range('dotmac.network.interface.io', 'increase', 'network.io.direction')
    ).series) {
      const direction = attributes['network.io.direction'];
      const traffic = await valuesOf('Network', 'traffic', (row) => row['direction'] === direction);
      expect(points.length).toBeGreaterThan(60);
      for (const [ms, value] of points)
        expect(
          Math.abs((traffic.get(ms) ?? 0) / ((8 * value) / 600) - 1),
          `${direction} ${new Date(ms).toISOString()}`,
        ).toBeLessThan(1e-9);
    }
  });
});

test('the lines of the tiers are what the orchestrator gives a tenant', async () => {
  const { tierResources } = await import('../../orchestrator/kubernetes/tiers.ts');
  const factors: Record<string, number> = { m: 0.001, Mi: 2 ** 20, Gi: 2 ** 30, '': 1 };
  const amount = (quantity: string) => {
    const [, digits, unit = ''] = /^(\d+)(m|Mi|Gi)?$/.exec(quantity) ?? [];
    return Number(digits) * (factors[unit] ?? Number.NaN);
  };
  for (const [tier, { cpu, memory, storage }] of Object.entries(tierResources)) {
    for (const [title, expected] of [
      ['CPU against the tier', cpu],
      ['Memory against the tier', memory],
      ['Storage against the tier', storage],
    ] as const) {
      const line = /transform\(.* AS tier/.exec(panelNamed(title).targets?.[0]?.rawSql ?? '')?.[0] ?? '';
      const whole = line.replace('any(chosen.2)', `'${tier}'`);
      const { data } = await ask(`SELECT ${whole}`);
      expect(Number(data[0]?.['tier']), `${tier} ${title}`).toBe(amount(expected));
    }
  }
});

test('a tenant sees itself and nobody else with its own key', async () => {
  const key = await createTenant(pulse, { id: 'isp-lonely' });
  const names = async () => (await ask('SELECT id FROM tenants FINAL', key)).data.map(({ id }) => id);
  expect(await until(names, (all) => all.length > 0, 30)).toEqual(['isp-lonely']);
  const { data } = await askPanel(
    panelNamed('Requests by status'),
    scopeOf(panelNamed('Requests by status'), Date.now() - hourMs, Date.now()),
    key,
  ).catch(() => ({ data: [] }));
  expect(data).toEqual([]);
});
