import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type ClickHouseQuery, pulseSource, readSql } from './clickhouse-query.ts';
import { dashboards, fileOf } from './generate.ts';
import { expandMacros } from './testing/grafana-macros.ts';

const all = dashboards();
const panelsOf = (dashboard: Dashboard) => (dashboard.panels ?? []) as Panel[];
const contentOf = (dashboard: Dashboard) => panelsOf(dashboard).filter(({ type }) => type !== 'row');
const queriesOf = (panel: Panel) => (panel.targets ?? []) as unknown as ClickHouseQuery[];
const scope = {
  fromMs: 1_790_000_000_000,
  toMs: 1_790_086_400_000,
  intervalMs: 300_000,
  variables: { tenant: 'isp-alpha', meter: 'api_calls', search: '' },
};

test('the committed JSON is what the code makes: run `npm run dashboards` after a change', () => {
  expect(readdirSync(join(import.meta.dirname, 'generated')).toSorted()).toEqual(
    all.map((dashboard) => `${dashboard.uid}.json`).toSorted(),
  );
  for (const dashboard of all) {
    const { path, text } = fileOf(dashboard);
    expect(readFileSync(path, 'utf8') === text, `${basename(path)} is out of date`).toBe(true);
  }
});

describe.each(all.map((dashboard) => [dashboard.uid, dashboard] as const))('%s', (_uid, dashboard) => {
  test('every panel says what it shows and asks the provisioned data source', () => {
    for (const panel of contentOf(dashboard)) {
      expect(panel.title, panel.type).toMatch(/^[A-Z]/);
      expect(panel.description?.length ?? 0, panel.title).toBeGreaterThan(30);
      expect(panel.datasource).toEqual(pulseSource);
      expect(queriesOf(panel).map(({ datasource }) => datasource)).toEqual([pulseSource]);
      expect(
        panel.fieldConfig?.defaults.unit !== undefined || ['table', 'logs', 'state-timeline'].includes(panel.type),
        panel.title,
      ).toBe(true);
    }
    expect(contentOf(dashboard).length).toBeGreaterThan(10);
  });

  test('panels have ids of their own and do not overlap', () => {
    const panels = panelsOf(dashboard);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const taken = new Set<string>();
    for (const { gridPos, title } of panels) {
      const { x = 0, y = 0, w = 0, h = 0 } = gridPos ?? {};
      expect(x + w, title).toBeLessThanOrEqual(24);
      for (let column = x; column < x + w; column++) {
        for (let row = y; row < y + h; row++) {
          expect(taken.has(`${column}:${row}`), `${title} lies on another panel`).toBe(false);
          taken.add(`${column}:${row}`);
        }
      }
    }
  });

  test('every query expands with the macros of the data source and the variables of the dashboard', () => {
    const names = (dashboard.templating?.list ?? []).map(({ name }) => name);
    for (const panel of contentOf(dashboard)) {
      for (const { rawSql, format } of queriesOf(panel)) {
        for (const [, name] of rawSql.matchAll(/\$\{(\w+)/g)) expect(names, panel.title).toContain(name);
        const sql = expandMacros(rawSql, scope);
        expect(sql).not.toMatch(/\$_|\$\{|--/);
        // The interface for dashboards refuses a caller's settings.
        expect(sql).not.toMatch(/\bSETTINGS\b|\bFORMAT\b/);
        if (format === 0) expect(sql, `${panel.title}: series want rows by time`).toMatch(/ORDER BY time\b/);
        if (format === 0)
          expect(`\n${sql}`.slice(`\n${sql}`.lastIndexOf('\nSELECT ')), panel.title).toMatch(/ AS time\b/);
      }
    }
  });

  test('links lead to dashboards that exist', () => {
    const uids = all.map(({ uid }) => uid);
    const targets = [...JSON.stringify(dashboard).matchAll(/"\/d\/([\w-]+)/g)].map((match) => match[1]);
    expect(targets.length).toBeGreaterThan(0);
    for (const target of targets) expect(uids).toContain(target);
  });
});

test('every .sql file is used, has a header with its row grain, and leaves no header in a query', () => {
  const texts = all.map((dashboard) => JSON.stringify(dashboard));
  let files = 0;
  for (const slice of ['fleet', 'tenant']) {
    for (const name of readdirSync(join(import.meta.dirname, slice, 'sql'))) {
      const url = new URL(`./${slice}/sql/${name}`, import.meta.url);
      expect(readFileSync(url, 'utf8'), name).toMatch(/^-- Purpose: .*(?:\n-- .*)*Row grain: /);
      const used = JSON.stringify(readSql(url)).slice(1, -1);
      expect(
        texts.some((text) => text.includes(used)),
        `${slice}/${name} is in no dashboard`,
      ).toBe(true);
      files += 1;
    }
  }
  expect(files).toBeGreaterThan(25);
});

describe('provisioning', () => {
  const read = (file: string) => parse(readFileSync(join(import.meta.dirname, 'provisioning', file), 'utf8'));

  test('makes the data source that the panels ask, with its secret from the environment', () => {
    const [source] = read('datasources/pulse.yaml').datasources;
    expect({ type: source.type, uid: source.uid }).toEqual(pulseSource);
    expect(source.secureJsonData.password).toMatch(/^\$\{?[A-Z_]+\}?$/);
    expect(source.jsonData).toMatchObject({ protocol: 'http', defaultDatabase: expect.any(String) });
  });

  test('loads the generated folder', () => {
    const [provider] = read('dashboards/pulse.yaml').providers;
    expect(provider).toMatchObject({ type: 'file', allowUiUpdates: false });
  });
});

describe('the expansion of macros', () => {
  const times = { fromMs: 1_415_792_726_123, toMs: 1_447_328_726_456, intervalMs: 20_000 };
  const cases: [string, string][] = [
    ['$__timeFilter(t)', 't >= toDateTime(1415792726) AND t <= toDateTime(1447328726)'],
    [
      '$__timeFilter_ms(t)',
      't >= fromUnixTimestamp64Milli(1415792726123) AND t <= fromUnixTimestamp64Milli(1447328726456)',
    ],
    ['$__fromTime,$__toTime', 'toDateTime(1415792726),toDateTime(1447328726)'],
    ['$__fromTime_ms', 'fromUnixTimestamp64Milli(1415792726123)'],
    ['$__toTime_ms - INTERVAL 5 MINUTE', 'fromUnixTimestamp64Milli(1447328726456) - INTERVAL 5 MINUTE'],
    ['$__timeInterval(t)', 'toStartOfInterval(toDateTime(t), INTERVAL 20 second)'],
    ['$__interval_s', '20'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own syntax
    ['${name:sqlstring} ${name}', "'O''Neill' O'Neill"],
  ];
  // Expected values are those of the plugin's own documentation and tests.
  test.each(cases)('%s', (macro, sql) => {
    expect(expandMacros(macro, { ...times, variables: { name: "O'Neill" } })).toBe(sql);
  });

  test('what is not known or not safe in every version of the plugin is an error', () => {
    for (const bad of [
      '$__timeGroup(t)',
      '$__timeFilter()',
      '$__interval_s(t)',
      '$__timeFilter(f(t))',
      '$__timeFilter(t',
    ]) {
      expect(() => expandMacros(bad, times), bad).toThrow(/\$__|never closed/);
    }
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own syntax
    expect(() => expandMacros('${missing}', times)).toThrow('missing');
  });

  test('a step is never shorter than a second', () => {
    expect(expandMacros('$__interval_s', { ...times, intervalMs: 250 })).toBe('1');
  });
});
