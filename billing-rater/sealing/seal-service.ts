import {
  AppError,
  type BillingPeriod,
  type Handover,
  type Invoice,
  type LineCheck,
  periodOf,
  type TenantRecord,
} from 'streams/contract';
import type { Actor } from 'streams/control';
import { hoursOfPeriod, type ReconciliationReader } from '../invoicing/reconciliation.ts';
import type { Position } from '../metering/known-at.ts';
import type { SealedPeriod, SealedPeriodStore } from './ports.ts';

/** Why a tenant's period stays open. *Shape* `hours` are the first ones that differ or are pending, `open` counts them all. */
export interface OpenPeriod {
  readonly tenant: string;
  readonly period: string;
  readonly open: number;
  readonly hours: readonly Handover[];
  readonly lines: readonly LineCheck[];
}

export interface CloseResult {
  readonly sealed: SealedPeriod[];
  /** Sealed by an earlier request. */
  readonly already: SealedPeriod[];
}

export interface SealServiceDeps {
  readonly reconciliation: ReconciliationReader;
  readonly sealed: SealedPeriodStore;
  lines(
    tenant: TenantRecord,
    period: string,
  ): Promise<{ readonly lines: readonly LineCheck[]; readonly invoice: Invoice }>;
  /** End of the log: everything received before is below. */
  logEnd(): Promise<readonly Position[]>;
  /** How far the facts follow from the log. */
  metered(): Promise<readonly Position[]>;
  /** Late data of a period is taken for so long. */
  readonly graceSeconds: number;
  /** How long a request waits for what was received before it to be metered. */
  readonly waitSeconds: number;
  now(): number;
  wait(ms: number): Promise<void>;
}

/** An hour is sealed this long after its end, once everything received by then is metered. */
const hourSealSeconds = 900;
/** Hours that an answer names. */
const namedHours = 100;
const toIso = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z');

/** *Errors* `billing.period_not_over` (409) before the end of the period and of its grace. */
function requireOver(tenant: TenantRecord, period: BillingPeriod, graceSeconds: number, nowMs: number): void {
  const closesAtMs = period.endMs + Math.max(graceSeconds, hourSealSeconds) * 1000;
  if (nowMs >= closesAtMs) return;
  throw new AppError(
    'billing.period_not_over',
    `period ${period.period} of ${tenant.id} can be closed from ${toIso(closesAtMs)} on: it ends ${period.end}, and late data is taken for ${graceSeconds} s`,
    { status: 409, field: 'period', context: { tenant: tenant.id, end: period.end, closesAt: toIso(closesAtMs) } },
  );
}

/** Closes billing periods. Each tenant's is closed by itself: one that does not balance holds up no other. */
export function createSealService(deps: SealServiceDeps) {
  /** *Errors* `billing.metering_behind` (503, retryable) when what was received before the request is not metered in time. */
  async function awaitWatermark(): Promise<void> {
    const end = await deps.logEnd();
    const until = deps.now() + deps.waitSeconds * 1000;
    for (;;) {
      const metered = new Map((await deps.metered()).map(({ partition, next }) => [partition, next]));
      const behind = end.filter(({ partition, next }) => next > (metered.get(partition) ?? 0));
      if (behind.length === 0) return;
      if (deps.now() >= until) {
        throw new AppError(
          'billing.metering_behind',
          `metering has not come to what was received before this request in ${behind.length} partition(s) of the log; nothing was closed`,
          { status: 503, retryable: true, retryAfterSeconds: 10 },
        );
      }
      await deps.wait(250);
    }
  }

  /** Hand-overs of the hours that differ or wait. What producers numbered and never delivered holds nothing up: waiting would not bring it, and a sender could keep its bill open with it. */
  async function judge(tenant: TenantRecord, period: BillingPeriod) {
    const range = { tenants: [tenant], isAll: false, ...hoursOfPeriod(period) };
    const { totals } = await deps.reconciliation.read(range, { skip: 0, limit: 0 });
    const counted = totals.filter(({ to }) => to !== 'accepted');
    const open = counted.reduce((sum, { pending, mismatched }) => sum + pending + mismatched, 0);
    const hours: Handover[] = [];
    if (open > 0) {
      for (const state of ['mismatch', 'pending'] as const) {
        const { handovers } = await deps.reconciliation.read(range, { skip: 0, limit: namedHours, state });
        hours.push(...handovers.filter(({ to }) => to !== 'accepted').slice(0, namedHours - hours.length));
      }
    }
    const numbered = totals.filter(({ to }) => to === 'accepted');
    const missing = numbered.reduce((sum, { counts }) => sum + Math.max(0, counts.from - counts.to), 0);
    return { open, hours, missing };
  }

  async function closeOne(
    tenant: TenantRecord,
    period: BillingPeriod,
    actor: Actor,
  ): Promise<SealedPeriod | OpenPeriod> {
    const { open, hours, missing } = await judge(tenant, period);
    const { lines, invoice } = await deps.lines(tenant, period.period);
    const wrongLines = lines.filter(({ state }) => state !== 'balanced');
    if (open > 0 || wrongLines.length > 0) {
      return { tenant: tenant.id, period: period.period, open, hours, lines: wrongLines };
    }
    const sealed: SealedPeriod = {
      tenant: tenant.id,
      period: period.period,
      start: period.start,
      end: period.end,
      sealedAt: toIso(deps.now()),
      sealedBy: actor.id,
      knownAt: invoice.knownAt,
      totals: {
        meters: Object.fromEntries(lines.map(({ line, quantity }) => [line, quantity])),
        draft: { invoice: invoice.id, total: invoice.total, currency: invoice.currency, rateCard: invoice.rateCard },
        missing,
      },
    };
    await deps.sealed.add(actor, sealed);
    return sealed;
  }

  return {
    /**
     * Closes the period of each tenant that starts in a month.
     *
     * *Errors* `billing.period_not_over` (409), `billing.metering_behind` (503), and `billing.period_unbalanced` (409) naming tenants and hours; tenants that balance are closed all the same.
     */
    async close(tenants: readonly TenantRecord[], month: string, actor: Actor): Promise<CloseResult> {
      const already = await deps.sealed.of(
        tenants.map(({ id }) => id),
        month,
      );
      const due = tenants
        .filter(({ id }) => !already.has(id))
        .map((tenant) => ({ tenant, period: periodOf(month, tenant.timeZone) }));
      for (const { tenant, period } of due) requireOver(tenant, period, deps.graceSeconds, deps.now());
      if (due.length > 0) await awaitWatermark();
      const sealed: SealedPeriod[] = [];
      const open: OpenPeriod[] = [];
      for (const { tenant, period } of due) {
        const outcome = await closeOne(tenant, period, actor);
        if ('sealedAt' in outcome) sealed.push(outcome);
        else open.push(outcome);
      }
      if (open.length > 0) throw unbalanced(month, open, sealed);
      return { sealed, already: [...already.values()] };
    },
  };
}

export type SealService = ReturnType<typeof createSealService>;

function unbalanced(month: string, open: readonly OpenPeriod[], sealed: readonly SealedPeriod[]): AppError {
  const first = open[0]?.hours[0];
  const where =
    first === undefined ? '' : `, first ${first.tenant} ${first.signal} ${first.hour} (${first.from} to ${first.to})`;
  return new AppError(
    'billing.period_unbalanced',
    `period ${month} of ${open.length} tenant(s) stays open: ${open.reduce((sum, { open: hours }) => sum + hours, 0)} hand-over(s) and ${open.reduce((sum, { lines }) => sum + lines.length, 0)} invoice line(s) do not balance${where}`,
    { status: 409, field: 'period', context: { open, sealed: sealed.map(({ tenant }) => tenant) } },
  );
}
