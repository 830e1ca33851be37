import type { DecisionView, FleetRow, Invoice, Tenant } from 'streams/contract';
import { addDecimals, compareDecimals } from '../../format/decimal.ts';
import { formatBudget, formatPercent } from '../../format/figure.ts';
import { formatMoney } from '../../format/money.ts';

/** A tenant with the figures of three answers side by side; null where its answer is missing. */
export interface FleetEntry extends FleetRow {
  /** Why health, attainment and customers are not known at all, though the tenant is; null when they were read. */
  readonly unread: string | null;
  readonly invoice: Invoice | null;
  readonly openDecisions: number | null;
}

export type HealthState = FleetRow['health'];
/** Worst first: the order in which an operator wants to read. */
export const healthOrder: readonly HealthState[] = ['down', 'degraded', 'unmeasured', 'up'];

export const sortKeys = ['name', 'health', 'attainment', 'customers', 'bill', 'decisions'] as const;
export type SortKey = (typeof sortKeys)[number];
export interface Sorting {
  readonly key: SortKey;
  readonly descending: boolean;
}

/** Joins the fleet with its invoices and open decisions. */
export function joinFleet(
  rows: readonly FleetRow[],
  invoices: readonly Invoice[] | undefined,
  decisions: readonly DecisionView[] | undefined,
): FleetEntry[] {
  const byTenant = new Map<string, Invoice>((invoices ?? []).map((invoice) => [invoice.tenant, invoice]));
  const open = new Map<string, number>();
  for (const decision of decisions ?? []) open.set(decision.tenantId, (open.get(decision.tenantId) ?? 0) + 1);
  return rows.map((row) => ({
    ...row,
    unread: null,
    invoice: byTenant.get(row.tenant.id) ?? null,
    openDecisions: decisions === undefined ? null : (open.get(row.tenant.id) ?? 0),
  }));
}

/** Tenants whose figures could not be read: names, bills and decisions still stand. */
export function unreadFleet(
  tenants: readonly Tenant[],
  reason: string,
  invoices: readonly Invoice[] | undefined,
  decisions: readonly DecisionView[] | undefined,
): FleetEntry[] {
  const rows = tenants.map((tenant) => ({
    tenant,
    health: 'unmeasured' as const,
    lastSeenAt: null,
    attainment: null,
    budgetRemaining: null,
    customers: null,
    customersTrend: [],
  }));
  return joinFleet(rows, invoices, decisions).map((entry) => ({ ...entry, unread: reason }));
}

function compareNullable<T>(a: T | null, b: T | null, descending: boolean, compare: (x: T, y: T) => number): number {
  // What is not known stands at the end in either direction.
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return descending ? -compare(a, b) : compare(a, b);
}

const byNumber = (a: number, b: number) => a - b;
const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** Sorts entries; equal ones stand by name. */
export function sortEntries(entries: readonly FleetEntry[], { key, descending }: Sorting): FleetEntry[] {
  const compare: Record<SortKey, (a: FleetEntry, b: FleetEntry) => number> = {
    name: (a, b) => compareNullable(a.tenant.name, b.tenant.name, descending, collator.compare),
    // Of one health, those over their error budget stand first.
    health: (a, b) =>
      compareNullable(healthOrder.indexOf(a.health), healthOrder.indexOf(b.health), descending, byNumber) ||
      compareNullable(Number(!isBreaching(a)), Number(!isBreaching(b)), descending, byNumber),
    attainment: (a, b) => compareNullable(a.attainment, b.attainment, descending, byNumber),
    customers: (a, b) => compareNullable(a.customers, b.customers, descending, byNumber),
    // Amounts of two currencies have no order between them.
    bill: (a, b) =>
      compareNullable(a.invoice?.currency ?? null, b.invoice?.currency ?? null, false, collator.compare) ||
      compareNullable(a.invoice?.total ?? null, b.invoice?.total ?? null, descending, compareDecimals),
    decisions: (a, b) => compareNullable(a.openDecisions, b.openDecisions, descending, byNumber),
  };
  return entries.toSorted(
    (a, b) =>
      compare[key](a, b) ||
      collator.compare(a.tenant.name, b.tenant.name) ||
      collator.compare(a.tenant.id, b.tenant.id),
  );
}

/** Keeps entries of the chosen states whose name, id or region contains the text. */
export function filterEntries(
  entries: readonly FleetEntry[],
  health: ReadonlySet<string>,
  breaching: boolean,
  text: string,
): FleetEntry[] {
  const wanted = text.trim().toLowerCase();
  return entries.filter(
    (entry) =>
      (health.size === 0 || health.has(entry.health)) &&
      (!breaching || isBreaching(entry)) &&
      (wanted === '' ||
        `${entry.tenant.name} ${entry.tenant.id} ${entry.tenant.region}`.toLowerCase().includes(wanted)),
  );
}

/** Whether the error budget of the period is overspent. */
export function isBreaching(entry: FleetRow): boolean {
  return entry.budgetRemaining !== null && entry.budgetRemaining < 0;
}

/** What is left of the error budget, or how far it is overspent; a budget that is small because little was measured never reads as used up. */
export function budgetText({ budgetRemaining: left, budgetRemainingSeconds }: FleetRow): string {
  const seconds = budgetRemainingSeconds ?? null;
  if (seconds === null) {
    if (left === null) return 'budget unknown';
    return left < 0 ? `${formatPercent(-left)} over budget` : `${formatPercent(left)} budget left`;
  }
  if (seconds < 0) return `${formatBudget(-seconds)} over`;
  if (seconds < 6 && left !== null && left >= 0.5) return 'little measured yet';
  if (seconds < 1 && left !== null && left > 0) return '< 0.1 min left';
  return `${formatBudget(seconds)} left`;
}

/** The state of the fleet in one sentence; empty when there is no tenant. */
export function fleetSentence(entries: readonly FleetEntry[]): string {
  const unread = entries.filter((entry) => entry.unread !== null).length;
  if (unread > 0) return `${entries.length} tenants; how they are could not be read.`;
  const count = (state: HealthState) => entries.filter((entry) => entry.health === state).length;
  const parts = [`${count('up')} of ${entries.length} healthy`];
  const say = (number: number, words: string) => number > 0 && parts.push(`${number} ${words}`);
  say(count('down'), 'down');
  say(count('degraded'), 'degraded');
  say(count('unmeasured'), 'not measured');
  const breaching = entries.filter(isBreaching).length;
  say(breaching, breaching === 1 ? 'has overspent its error budget' : 'have overspent their error budgets');
  return `${parts.join(', ')}.`;
}

/** Bills so far as one sum a currency, largest number of tenants first. */
export function billTotals(entries: readonly FleetEntry[]): string {
  const totals = new Map<string, { sum: string; tenants: number }>();
  for (const { invoice } of entries) {
    if (invoice === null) continue;
    const before = totals.get(invoice.currency) ?? { sum: '0', tenants: 0 };
    totals.set(invoice.currency, { sum: addDecimals(before.sum, invoice.total), tenants: before.tenants + 1 });
  }
  return [...totals.entries()]
    .toSorted(([, a], [, b]) => b.tenants - a.tenants)
    .map(([currency, { sum }]) => formatMoney(sum, currency))
    .join(' + ');
}
