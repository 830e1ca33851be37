import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildPortal } from 'web/build';
import { type MockServer, operatorToken, startMockServer, tenantKey } from 'web/mock';
import { launchChromium } from './chromium.ts';

let dir: string;
let browser: Browser;
let server: MockServer;
let context: BrowserContext;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'pulse-portal-'));
  await buildPortal({ outDir: join(dir, 'dist') });
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  rmSync(dir, { recursive: true, force: true });
});

async function openContext(options: BrowserContextOptions = {}) {
  await context?.close();
  context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 900 }, ...options });
  page = await context.newPage();
  page.setDefaultTimeout(10_000);
  // Whatever the security policy stops and whatever throws would otherwise pass unseen.
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/i.test(message.text())) complaints.push(message.text());
  });
}

beforeEach(async () => {
  complaints = [];
  server = await startMockServer({ pages: join(dir, 'dist') });
  await openContext();
});

afterEach(async () => {
  await context.close();
  await server.close();
  expect(complaints).toEqual([]);
});

/** Signs in with the keyboard and waits for the first heading that belongs to the page behind it. */
async function signIn(token: string, path = '/') {
  await page.goto(server.url + path);
  await page.getByLabel('Operator token or tenant API key').fill(token);
  await page.keyboard.press('Enter');
  await page.locator('main#content').waitFor();
}

const rowNames = () => page.locator('tbody [data-row]').allTextContents();
const focusedText = () => page.evaluate<string>(`document.activeElement?.textContent ?? ''`);
const overflow = () =>
  page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');

describe('sign-in', () => {
  test('an unknown token is refused with its code and the page stays', async () => {
    await page.goto(server.url);
    await page.getByLabel('Operator token or tenant API key').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('access.unauthenticated').waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
  });

  test('the operator sees the fleet and a reload keeps the session', async () => {
    await signIn(operatorToken);
    await page.getByRole('heading', { name: '9 of 12 healthy' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: '9 of 12 healthy' }).waitFor();
  });

  test('a browser under a POSIX locale shows the tenant page, charts included', async () => {
    await page.addInitScript(
      `Object.defineProperty(navigator, 'language', { get: () => 'en-US@posix', configurable: true });
       Object.defineProperty(navigator, 'languages', { get: () => ['en-US@posix'], configurable: true });`,
    );
    await signIn(tenantKey);
    await page.getByRole('heading', { name: 'Northwind Fibre' }).waitFor();
    await page.locator('.uplot').first().waitFor();
  });

  test('a tenant key leads to its own page and asks for nothing of others', async () => {
    await signIn(tenantKey);
    await page.getByRole('heading', { name: 'Northwind Fibre' }).waitFor();
    await page.getByText('Total so far').waitFor();
    expect(await page.getByRole('link', { name: 'Fleet' }).count()).toBe(0);
    expect(await page.getByRole('button', { name: 'Approve' }).count()).toBe(0);
    await page.goto(`${server.url}/tenants/harbour-net`);
    await page.waitForURL('**/tenants/northwind-fibre');
    expect(
      server.state.asked.filter((path) => path.startsWith('/analytics/fleet') || path.includes('harbour-net')),
    ).toEqual([]);
  });

  test('a session that ends later leads back to the sign-in with a sentence', async () => {
    await signIn(operatorToken);
    await page.getByRole('heading', { name: '9 of 12 healthy' }).waitFor();
    server.state.expired = true;
    await page.getByRole('button', { name: 'Refresh now' }).click();
    await page.getByText('Your session has ended').waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
  });
});

describe('fleet', () => {
  test('the keyboard alone leads from the sign-in to a tenant', async () => {
    await signIn(operatorToken);
    await page.locator('tbody [data-row="0"]').waitFor();
    for (let press = 0; press < 40 && (await focusedText()) !== 'Prairie Link'; press += 1)
      await page.keyboard.press('Tab');
    expect(await focusedText()).toBe('Prairie Link');
    await page.keyboard.press('ArrowDown');
    await expect.poll(focusedText).toBe('Harbour Net');
    await page.keyboard.press('ArrowUp');
    await expect.poll(focusedText).toBe('Prairie Link');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/tenants/prairie-link');
    await page.getByText('over its error budget').waitFor();
  });

  test('the command palette finds a tenant and goes there', async () => {
    await signIn(operatorToken);
    await page.locator('tbody [data-row="0"]').waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('mistral');
    await page.getByRole('option', { name: 'Mistral' }).waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL('**/tenants/mistral-telecom');
  });

  test('sort, filter, search and columns are in the address and come back with it', async () => {
    await signIn(operatorToken);
    await page.getByRole('button', { name: 'Customers' }).click();
    await expect.poll(async () => (await rowNames())[0]).toBe('Savanna Wireless');
    await page.getByRole('button', { name: 'Healthy' }).click();
    await page.getByRole('searchbox', { name: 'Find a tenant' }).fill('fibre');
    await expect.poll(rowNames).toEqual(['Northwind Fibre']);
    await page.getByRole('button', { name: 'Columns' }).click();
    await page.getByRole('checkbox', { name: 'Bill so far' }).uncheck();
    const search = new URL(page.url()).searchParams;
    expect(Object.fromEntries(search)).toEqual({
      sort: 'customers',
      dir: 'desc',
      health: 'up',
      q: 'fibre',
      hide: 'bill',
    });
    await page.reload();
    await expect.poll(rowNames).toEqual(['Northwind Fibre']);
    expect(await page.getByRole('columnheader', { name: 'Bill so far' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Clear' }).click();
    await expect.poll(async () => (await rowNames()).length).toBe(12);
  });

  test('figures are exact on hover and a missing one is a dash with its reason', async () => {
    await signIn(operatorToken);
    const row = page.getByRole('row', { name: /Northwind Fibre/ });
    await row.getByText('€3,421.07').waitFor();
    expect(await row.getByText('€3,421.07').getAttribute('title')).toContain('3421.07 EUR');
    const failed = page.getByRole('row', { name: /Lumen Valley/ });
    expect(await failed.locator('[title="no rate card is in force (billing.no_rate_card)"]').textContent()).toBe('–');
    const unmeasured = page.getByRole('row', { name: /Blue Reef/ });
    expect(await unmeasured.getByText('not measured', { exact: true }).count()).toBe(1);
    expect(await unmeasured.locator('[title="No measurement of active customers yet"]').textContent()).toBe('–');
  });

  test('no tenant: the page says how to create one', async () => {
    server.state.tenants = 0;
    await signIn(operatorToken);
    await page.getByText('No tenant yet').waitFor();
    expect(await page.locator('pre.command').textContent()).toContain('/api/v1/tenants');
  });

  test('a failure names what failed and its code, and trying again helps', async () => {
    server.state.failures.set('/analytics/fleet', {
      status: 400,
      code: 'analytics.store_down',
      detail: 'the store does not answer',
    });
    await signIn(operatorToken);
    await page.getByText('Health, attainment and customers could not be read').waitFor();
    await page.getByText('analytics.store_down').waitFor();
    const row = page.getByRole('row', { name: /Northwind Fibre/ });
    await row.getByText('€3,421.07').waitFor();
    expect(await row.locator('[title*="analytics.store_down"]').allTextContents()).toEqual(['–', '–', '–']);
    server.state.failures.clear();
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('heading', { name: '9 of 12 healthy' }).waitFor();
  });

  test('bills that cannot be read leave the rest standing and are never shown as zero', async () => {
    server.state.failures.set('/billing/invoices', {
      status: 400,
      code: 'billing.no_rate_card',
      detail: 'no rate card',
    });
    await signIn(operatorToken);
    await page.getByText('Bills could not be read').waitFor();
    const row = page.getByRole('row', { name: /Northwind Fibre/ });
    expect(await row.locator('[title*="billing.no_rate_card"]').textContent()).toBe('–');
  });

  test('slow answers show rows of the right size first', async () => {
    server.state.delayMs = 600;
    await signIn(operatorToken);
    await page.getByRole('status', { name: 'Reading the fleet' }).waitFor();
    await page.getByRole('heading', { name: '9 of 12 healthy' }).waitFor();
  });

  test('a thousand tenants draw few rows, and End reaches the last', async () => {
    server.state.tenants = 1000;
    await signIn(operatorToken, '/?sort=name&dir=asc');
    await page.getByText('1000 tenants').waitFor();
    expect(await page.locator('tbody tr').count()).toBeLessThan(80);
    await page.locator('tbody [data-row="0"]').focus();
    await page.keyboard.press('End');
    await expect.poll(() => page.evaluate(`document.activeElement?.getAttribute('data-row')`)).toBe('999');
    const started = Date.now();
    await page.getByRole('searchbox', { name: 'Find a tenant' }).fill('Juniper Network 999');
    await page.getByText('1 of 1000 tenants').waitFor();
    expect(Date.now() - started).toBeLessThan(3000);
  });
});

/** Counts the coloured pixels of the first chart: grid and axes are grey. */
const colouredPixels = `(() => {
  const canvas = document.querySelector('.charts canvas');
  if (canvas === null) return 0;
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    const rgb = [data[at], data[at + 1], data[at + 2]];
    if (data[at + 3] > 200 && Math.max(...rgb) - Math.min(...rgb) > 60) count += 1;
  }
  return count;
})()`;

describe('tenant', () => {
  test('what was rejected is shown with its reason in words and what to do; a tenant that lost nothing is told so', async () => {
    await signIn(operatorToken, '/tenants/northwind-fibre');
    const section = page.getByRole('region', { name: 'Rejected data and why' });
    const row = section.getByRole('row', { name: /More active series than allowed/ });
    await row.waitFor();
    expect(await row.textContent()).toContain('102.8 k records');
    expect(await row.textContent()).toContain('drop it at the source');
    await section.locator('.uplot').waitFor();
    const limited = section.getByRole('row', { name: /More records a second than allowed/ });
    expect(await limited.textContent()).toContain('1,550 requests');
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await overflow()).toBe(0);
    await section.getByText('drop it at the source').first().waitFor();
    server.state.failures.set('/telemetry/rejected', { status: 503, code: 'control.unavailable', detail: 'away' });
    await page.goto(`${server.url}/tenants/harbour-net`);
    await page.getByText('What was rejected could not be read').waitFor();
    server.state.failures.clear();
    await page.reload();
    await page.getByText('Everything was taken in this time').waitFor();
  });

  test('the evidence of a line is loaded, recomputed from all its rows and agrees', async () => {
    await signIn(operatorToken, '/tenants/northwind-fibre');
    const opener = page.getByRole('button', { name: 'Evidence of API calls' });
    await opener.click();
    const panel = page.getByRole('dialog', { name: 'Evidence: API calls' });
    await panel.getByText('120 rows').waitFor();
    await panel.getByText('Agrees exactly: 1284730').waitFor();
    expect(await panel.getByText('1,284,730').count()).toBe(3);
    await page.keyboard.press('Escape');
    await panel.waitFor({ state: 'detached' });
    expect(await page.evaluate(`document.activeElement?.getAttribute('aria-label')`)).toBe('Evidence of API calls');
  });

  test('the operator approves a decision, sees its diff and the new state', async () => {
    await signIn(operatorToken, '/tenants/northwind-fibre');
    await page.getByText('limits.memory: 16Gi').waitFor();
    await page.getByLabel('Reason, kept in the record').fill('load is seasonal');
    const sent = page.waitForRequest(/\/approve$/);
    await page.getByRole('button', { name: 'Approve' }).click();
    expect((await sent).postDataJSON()).toEqual({ reason: 'load is seasonal' });
    await expect.poll(() => server.state.verdicts).toEqual(['northwind-fibre-d3/approve']);
    await expect.poll(() => page.getByText('Waits for approval', { exact: true }).count()).toBe(0);
  });

  test('a tiered price opens to its tiers', async () => {
    await signIn(operatorToken, '/tenants/northwind-fibre');
    await page.getByRole('button', { name: '3 tiers' }).click();
    await page.getByText('501 to 1,500').waitFor();
    expect(await page.getByRole('row', { name: /501 to 1,500/ }).textContent()).toContain('€700.00');
  });

  test('dragging in a chart sets the range of the page, and the table twin shows the figures', async () => {
    await signIn(operatorToken, '/tenants/northwind-fibre');
    const chart = page.getByRole('figure', { name: 'Requests' });
    await chart.locator('.u-over').scrollIntoViewIfNeeded();
    await page.waitForTimeout(300);
    const box = await chart.locator('.u-over').boundingBox();
    if (box === null) throw new Error('the chart has no size');
    await page.mouse.move(box.x + box.width * 0.3, box.y + 60);
    await chart.locator('.hover-table').waitFor();
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 60, { steps: 5 });
    await page.mouse.up();
    await expect.poll(() => new URL(page.url()).searchParams.has('from')).toBe(true);
    await page.getByRole('button', { name: 'Table of: Requests' }).click();
    await chart.getByRole('columnheader', { name: 'requests, req/s' }).waitFor();
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download as CSV: Requests' }).click();
    const text = await readFile(await (await saved).path(), 'utf8');
    expect(text.split('\r\n')[0]).toBe('time,requests (req/s)');
    expect(text.split('\r\n').length).toBeGreaterThan(50);
  });

  test('a chart that fails says so in its place and the others stand', async () => {
    server.state.failures.set('/telemetry/metrics/range', {
      status: 400,
      code: 'store.too_many_buckets',
      detail: 'too many',
    });
    await signIn(operatorToken, '/tenants/northwind-fibre');
    await page.getByText('This chart could not be read').first().waitFor();
    await page.getByText('Total so far').waitFor();
  });

  test('a page whose program does not arrive says so instead of nothing, and a reload brings it', async () => {
    await page.route('**/assets/tenant-page-*.js', (route) => route.abort());
    await signIn(operatorToken, '/tenants/northwind-fibre');
    await page.getByText('This page could not be shown').waitFor();
    await page.getByText('web.page_not_loaded').waitFor();
    await page.getByRole('link', { name: 'Fleet' }).first().click();
    await page.getByRole('heading', { name: '9 of 12 healthy' }).waitFor();
    await page.goBack();
    await page.unroute('**/assets/tenant-page-*.js');
    await page.getByRole('button', { name: 'Reload' }).click();
    await page.getByText('Total so far').waitFor();
  });

  test('a page that throws while it is drawn says what failed', async () => {
    await page.route('**/api/v1/tenants/northwind-fibre', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), timeZone: 'Mars/Olympus' } });
    });
    await signIn(operatorToken, '/tenants/northwind-fibre');
    await page.getByText(/Mars\/Olympus/).waitFor();
    await page.getByRole('button', { name: 'Reload' }).waitFor();
  });

  test('the first minutes of a tenant are drawn with the reason why there is no forecast, and what is empty names its metric', async () => {
    const reason = 'no whole day of this metric is stored';
    await page.route('**/api/v1/analytics/forecast?*', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), history: [], forecast: [], reason } });
    });
    await page.route('**/api/v1/telemetry/metrics/range?*', async (route) => {
      const metric = new URL(route.request().url()).searchParams.get('metric') ?? '';
      const points = [[Math.floor(Date.now() / 300_000) * 300_000 - 300_000, 120]];
      const series = metric === 'dotmac.customers.active' ? [{ attributes: {}, points }] : [];
      await route.fulfill({ json: { metric, unit: '{customer}', series } });
    });
    await signIn(operatorToken, '/tenants/northwind-fibre');
    const chart = page.getByRole('figure', { name: 'Active customers and the next 30 days' });
    await chart.getByText(`No forecast: ${reason}`).waitFor();
    // A single point has no line: without its dot the plot would look empty.
    const painted = () => page.evaluate<number>(colouredPixels);
    await expect.poll(painted).toBeGreaterThan(4);
    await chart.getByRole('button', { name: /^Table of/ }).click();
    await chart.getByRole('cell', { name: '120' }).waitFor();
    for (const [metric, shown] of [
      ['http.server.request.duration', 'requests'],
      ['container.cpu.usage', 'CPU'],
      ['dotmac.network.interface.io', 'traffic'],
      ['dotmac.storage.usage', 'storage'],
      ['dotmac.health.status', 'health'],
    ])
      expect(await page.getByText(`Nothing measured in this time. Send ${metric} to see ${shown}.`).count()).toBe(1);
  });

  test('an unknown tenant is refused with its code', async () => {
    await signIn(operatorToken, '/tenants/nobody');
    await page.getByText('access.forbidden').waitFor();
  });
});

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

interface Finding {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly html: string }[];
}

/** Findings of axe that are serious or critical, as `rule: element`. */
async function seriousFindings(): Promise<string[]> {
  // Evaluated through the debugger: a script element would be stopped by the page's policy.
  await page.evaluate(await readFile(axePath, 'utf8'));
  const { violations } = await page.evaluate<{ violations: Finding[] }>('axe.run()');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`));
}

describe.each(['light', 'dark'] as const)('in the %s theme', (colorScheme) => {
  test.each([1280, 390])('no serious accessibility finding and no sideways scrolling at %i px', async (width) => {
    await openContext({ colorScheme, viewport: { width, height: 844 } });
    await page.goto(server.url);
    await page.getByLabel('Operator token or tenant API key').waitFor();
    expect(await seriousFindings()).toEqual([]);
    await signIn(operatorToken);
    await page.getByText('Savanna Wireless').waitFor();
    expect(await seriousFindings()).toEqual([]);
    expect(await overflow()).toBe(0);
    // The name of 120 characters is the hardest one.
    await page.goto(`${server.url}/tenants/alto-parana`);
    await page.getByText('Total so far').waitFor();
    await page.getByRole('button', { name: 'Table of: Requests' }).click();
    expect(await seriousFindings()).toEqual([]);
    expect(await overflow()).toBe(0);
    await page.getByRole('button', { name: 'Evidence of API calls' }).click();
    await page.getByText('120 rows').waitFor();
    expect(await seriousFindings()).toEqual([]);
  });
});

test('at 200 % zoom of a 1280 px screen everything is still reachable without sideways scrolling', async () => {
  // Zooming to 200 % halves the size of the page in its own pixels.
  await openContext({ viewport: { width: 640, height: 450 }, deviceScaleFactor: 2 });
  await signIn(operatorToken);
  await page.getByText('Savanna Wireless').waitFor();
  expect(await overflow()).toBe(0);
  await page.getByRole('link', { name: 'Northwind Fibre' }).click();
  await page.getByText('Total so far').waitFor();
  expect(await overflow()).toBe(0);
});

test('the theme goes round automatic, light and dark and is kept', async () => {
  await signIn(operatorToken);
  await page.getByRole('button', { name: /^Theme/ }).click();
  await page.getByRole('button', { name: /^Theme: light/ }).click();
  await page.getByRole('button', { name: /^Theme: dark/ }).waitFor();
  await page.reload();
  await page.getByRole('button', { name: /^Theme: dark/ }).waitFor();
  expect(await page.evaluate('document.documentElement.dataset.theme')).toBe('dark');
});
