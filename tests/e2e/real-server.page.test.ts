import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, metricSum, type PulseProcess, startPulse, until } from '../pulse-process.ts';
import { launchChromium } from './chromium.ts';

interface FleetItem {
  readonly tenant: { readonly id: string; readonly name: string; readonly currency: string };
  readonly health: string;
  readonly attainment: number | null;
  readonly customers: number | null;
}
interface InvoiceItem {
  readonly total: string;
  readonly currency: string;
  readonly lines: readonly { readonly description: string; readonly evidence: string }[];
}

let pulse: PulseProcess;
let browser: Browser;
let page: Page;
let complaints: string[] = [];
let fleet: readonly FleetItem[];

beforeAll(async () => {
  [pulse, browser] = await Promise.all([
    startPulse({
      environment: { PULSE_DEMO: 'on', PULSE_DEMO_DAYS: '3', PULSE_DEMO_TENANTS: '2', PULSE_LOG_LEVEL: 'info' },
    }),
    launchChromium(),
  ]);
  fleet = await historyIsIn();
});

afterAll(async () => {
  await browser?.close();
  expect(await pulse?.stop()).toBe(0);
});

/** Waits until the history is sent and stored, both simulated tenants are measured and their drafts no longer rest on fees alone. */
async function historyIsIn(): Promise<readonly FleetItem[]> {
  await until(
    async () => pulse.output(),
    (lines) => lines.includes('history is complete'),
    150,
  );
  await until(backlog, (left) => left === 0, 60);
  const items = await until(
    async () => (await call<{ items?: FleetItem[] }>(pulse, '/api/v1/analytics/fleet')).body.items ?? [],
    (rows) => rows.filter((row) => row.customers !== null && row.attainment !== null).length === 2,
    150,
  );
  const simulated = items.filter((row) => row.customers !== null);
  for (const { tenant } of simulated) {
    // The gauge of waiting hours is that of the last round: what the daily chart shows is asked for itself.
    await until(
      () => customerDays(tenant.id),
      (days) => days > 2,
      60,
    );
    await until(
      () => invoiceOf(tenant.id),
      (invoice) => invoice.lines.length > 1 && Number(invoice.total) > 0,
      60,
    );
  }
  return simulated;
}

/** Records and hours that are not in the roll-ups yet. */
const backlog = async () =>
  (await metricSum(pulse, 'pulse_log_consumer_lag_records')) + (await metricSum(pulse, 'pulse_roll_up_waiting_hours'));

/** Days that have a roll-up of active customers. */
async function customerDays(tenant: string): Promise<number> {
  const range = `start=${new Date(Date.now() - 3 * 86_400_000).toISOString()}&end=${new Date().toISOString()}`;
  const path = `/api/v1/telemetry/metrics/range?tenant=${tenant}&metric=dotmac.customers.active&${range}&step=86400s&aggregate=avg`;
  const { body } = await call<{ series: { points: [number, number | null][] }[] }>(pulse, path);
  return body.series[0]?.points.filter(([, value]) => value !== null).length ?? 0;
}

async function invoiceOf(tenant: string, token?: string): Promise<InvoiceItem> {
  const path = `/api/v1/billing/invoices?tenant=${tenant}`;
  const { body } = await call<{ items: InvoiceItem[] }>(pulse, path, token === undefined ? {} : { token });
  const [invoice] = body.items;
  if (invoice === undefined) throw new Error(`no draft for ${tenant}`);
  return invoice;
}

/** A fresh page on which anything that throws, fails or is stopped by the security policy is written down. */
async function openPage(options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 900 }, ...options });
  const fresh = await context.newPage();
  fresh.setDefaultTimeout(30_000);
  fresh.on('pageerror', (error) => complaints.push(error.message));
  fresh.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  fresh.on('response', (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`);
  });
  return fresh;
}

async function signIn(target: Page, token: string, path = '/') {
  await target.goto(pulse.http + path);
  await target.getByLabel('Operator token or tenant API key').fill(token);
  await target.keyboard.press('Enter');
  await target.locator('main#content').waitFor();
}

const money = (amount: string, currency: string) =>
  new Intl.NumberFormat('en-GB', { style: 'currency', currency }).format(amount as Intl.StringNumericLiteral);

/** Every chart is drawn or says that it is empty; none is still being read. */
const settled = (target: Page) =>
  expect.poll(() => target.locator('main .skeleton, main .skeleton-rows').count(), { timeout: 30_000 }).toBe(0);

describe('the portal on a real server', () => {
  test('the operator sees both tenants with health, attainment, customers and bill', async () => {
    complaints = [];
    page = await openPage();
    await signIn(page, pulse.token);
    for (const { tenant } of fleet) {
      const cells = page.getByRole('row', { name: new RegExp(`^${tenant.name}`) }).getByRole('cell');
      await expect.poll(() => cells.nth(0).textContent()).toMatch(/^(Healthy|Degraded|Down)$/);
      await expect.poll(() => cells.nth(1).textContent()).toMatch(/^\d{2,3}\.\d{3} % .*(left|over|budget)/);
      await expect.poll(() => cells.nth(2).textContent()).toMatch(/^[\d,]+$/);
      await expect.poll(() => cells.nth(3).textContent(), { timeout: 20_000 }).toMatch(/^\D{1,3}[\d,]+\.\d\d$/);
      await expect.poll(() => cells.nth(4).textContent()).toMatch(/^\d+$/);
    }
    expect(complaints).toEqual([]);
  });

  test('the charts of a tenant have points', async () => {
    const [first] = fleet;
    await page.getByRole('link', { name: first?.tenant.name ?? '' }).click();
    await settled(page);
    const titles = ['CPU in use', 'Requests', 'Response time', 'Network traffic', 'Storage', 'Active customers'];
    for (const title of titles) {
      const chart = page.getByRole('figure', { name: title });
      await chart.getByRole('button', { name: 'Table of' }).click();
      expect(await chart.locator('tbody tr').count(), title).toBeGreaterThan(2);
      const figures = await chart.locator('tbody td:nth-child(2)').allTextContents();
      expect(figures.filter((text) => /\d/.test(text)).length, title).toBeGreaterThan(2);
      await chart.getByRole('button', { name: 'Chart of' }).click();
    }
    expect(await page.locator('.timeline-row').count()).toBeGreaterThan(2);
    expect(await page.locator('.timeline .span-up').count()).toBeGreaterThan(2);
    expect(await page.locator('.logs li').count()).toBeGreaterThan(5);
    expect(complaints).toEqual([]);
  });

  test('the total of the invoice is that of the API, and its lines add up to it', async () => {
    const id = fleet[0]?.tenant.id ?? '';
    await page.goto(`${pulse.http}/tenants/${id}`);
    const shown = page.locator('.invoice-total');
    await shown.waitFor();
    // The draft grows while it is read: what is shown is the answer the page was given, and lies between one asked for before it and one after.
    const before = await invoiceOf(id);
    const answer = page.waitForResponse((response) => response.url().includes('/api/v1/billing/invoices?tenant='));
    await page.reload();
    const { items } = (await (await answer).json()) as { items: InvoiceItem[] };
    const [invoice] = items;
    if (invoice === undefined) throw new Error('no draft');
    await expect.poll(() => shown.textContent()).toBe(money(invoice.total, invoice.currency));
    const after = await invoiceOf(id);
    expect(Number(invoice.total)).toBeGreaterThanOrEqual(Number(before.total));
    expect(Number(invoice.total)).toBeLessThanOrEqual(Number(after.total));
    const amounts = await page.locator('.invoice-table tbody tr:not(.tier-row) td:nth-child(4)').allTextContents();
    expect(amounts).toHaveLength(invoice.lines.length);
    const cents = amounts.reduce((sum, text) => sum + Number(text.replace(/[^\d]/g, '')), 0);
    expect(cents).toBe(Number(invoice.total.replace('.', '')));
    expect(complaints).toEqual([]);
  });

  test('the evidence of every line opens and agrees when it is recomputed', async () => {
    const openers = page.locator('#invoice').getByRole('button', { name: /^Evidence of/ });
    const count = await openers.count();
    expect(count).toBeGreaterThan(3);
    for (let index = 0; index < count; index += 1) {
      await openers.nth(index).click();
      const panel = page.getByRole('dialog', { name: /^Evidence/ });
      await panel.getByText(/^Agrees exactly: /).waitFor();
      const [stated, found, recomputed] = await panel.locator('.evidence-figures dd').allTextContents();
      expect([found, recomputed]).toEqual([stated, stated]);
      await page.keyboard.press('Escape');
      await panel.waitFor({ state: 'detached' });
    }
    expect(complaints).toEqual([]);
  });

  test('a row of the evidence leads to the records it came from', async () => {
    await page.locator('#invoice').getByRole('button', { name: 'Evidence of API calls' }).click();
    const panel = page.getByRole('dialog', { name: /^Evidence/ });
    await panel.getByRole('button', { name: 'records' }).first().click();
    await panel.getByRole('columnheader', { name: 'occurred_at' }).waitFor();
    expect(await panel.locator('tbody tr').count()).toBeGreaterThan(0);
    await panel.getByRole('button', { name: 'Back to the evidence' }).click();
    await panel.getByText(/^Agrees exactly: /).waitFor();
    await page.keyboard.press('Escape');
    expect(complaints).toEqual([]);
  });

  test('a tenant key sees its own page only', async () => {
    const [own, other] = fleet;
    const made = await call<{ apiKey: string }>(pulse, `/api/v1/tenants/${own?.tenant.id}/api-keys`, { body: {} });
    expect(made.status).toBe(201);
    const asked: string[] = [];
    const tenantPage = await openPage();
    tenantPage.on('request', (request) => asked.push(request.url()));
    await signIn(tenantPage, made.body.apiKey);
    await tenantPage.getByRole('heading', { name: own?.tenant.name ?? '' }).waitFor();
    await tenantPage.getByText('Total so far').waitFor();
    expect(await tenantPage.getByRole('link', { name: 'Fleet' }).count()).toBe(0);
    await tenantPage.goto(`${pulse.http}/tenants/${other?.tenant.id}`);
    await tenantPage.waitForURL(`**/tenants/${own?.tenant.id}`);
    await tenantPage.getByText('Total so far').waitFor();
    await settled(tenantPage);
    expect(asked.filter((url) => /analytics\/fleet/.test(url) || url.includes(`=${other?.tenant.id}`))).toEqual([]);
    await tenantPage.context().close();
    expect(complaints).toEqual([]);
  });

  test('both pages at both widths and in both themes, kept as pictures', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pulse-pictures-'));
    for (const [width, height] of [
      [1280, 900],
      [390, 844],
    ] as const) {
      for (const colorScheme of ['light', 'dark'] as const) {
        const pictured = await openPage({ viewport: { width, height }, colorScheme });
        await signIn(pictured, pulse.token);
        await pictured.getByText(/^Bills of the running month so far: .*\d/).waitFor();
        await pictured.screenshot({ path: join(folder, `fleet-${width}-${colorScheme}.png`), fullPage: true });
        await pictured.goto(`${pulse.http}/tenants/${fleet[0]?.tenant.id}`);
        await pictured.getByText('Total so far').waitFor();
        await settled(pictured);
        await pictured.screenshot({ path: join(folder, `tenant-${width}-${colorScheme}.png`), fullPage: true });
        const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
        expect(await pictured.evaluate(overflow)).toBe(0);
        await pictured.context().close();
      }
    }
    process.stdout.write(`pictures of the portal: ${folder}\n`);
    expect(complaints).toEqual([]);
  });
});
