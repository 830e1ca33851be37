import type { HandoverTotal, TenantRecord } from 'streams/contract';
import type { Actor, Fence } from 'streams/control';
import type { KeptLedger } from 'streams/store';
import type { ReconciliationReader } from '../invoicing/reconciliation.ts';
import type { LedgerAlertStore } from './control-ledger-alerts.ts';
import { changesOf, countUnbalanced } from './ledger-alerts.ts';

export interface LedgerJobDeps {
  readonly ledger: Pick<KeptLedger, 'keep'>;
  readonly reconciliation: ReconciliationReader;
  readonly alerts: LedgerAlertStore;
  readonly tenants: { list(): readonly TenantRecord[] };
  /** Days back that are looked at: what a period and its grace take. */
  readonly days: number;
  readonly fence?: Fence;
  now(): number;
  onLook(report: { readonly unbalanced: ReadonlyMap<string, number>; readonly totals: readonly HandoverTotal[] }): void;
}

/** Differing hours that a look takes up; with more, nothing is resolved by that look. */
const hoursMax = 1000;
const hourSeconds = 3600;
const actor: Actor = { id: 'system:ledger', correlationId: 'ledger' };
const everywhere = { kind: 'global' } as const;
const effort = { isBackground: true } as const;
/** Looks take this part of the time at most: the running day is counted anew with each, however large it has grown. */
const shareOfTime = 1 / 25;

/** Keeps the ledger and its alerts. *Shape* `runOnce` is one look over the last days: what changed is counted and kept, hours that differ twice in a row are opened, those that no longer do are resolved. */
export function createLedgerJob(deps: LedgerJobDeps) {
  let before: ReadonlySet<string> = new Set();
  let restUntilMs = Number.NEGATIVE_INFINITY;

  async function look(nowMs: number): Promise<void> {
    const toHour = (Math.floor(nowMs / 1000 / hourSeconds) + 25) * hourSeconds;
    const fromHour = (Math.floor(nowMs / 1000 / 86_400) - deps.days) * 86_400;
    const range = { tenants: deps.tenants.list(), isAll: true, fromHour, toHour };
    await deps.ledger.keep({ fromHour, toHour }, effort);
    const { totals, handovers, more } = await deps.reconciliation.read(
      range,
      {
        state: 'mismatch',
        skip: 0,
        limit: hoursMax,
      },
      effort,
    );
    const open = await deps.alerts.list(everywhere, { open: true, limit: 10 * hoursMax, skip: 0 });
    const looked = { fromMs: fromHour * 1000, toMs: toHour * 1000, isComplete: !more };
    const { seen, ...changes } = changesOf(handovers, before, open, looked);
    const at = new Date(nowMs).toISOString().replace('.000Z', 'Z');
    await deps.alerts.write(actor, changes, at, deps.fence);
    before = seen;
    deps.onLook({ unbalanced: countUnbalanced(totals), totals });
  }

  return {
    /** One look, unless the last one was long and is not long ago. */
    async runOnce(): Promise<void> {
      const nowMs = deps.now();
      if (nowMs < restUntilMs) return;
      const began = performance.now();
      try {
        await look(nowMs);
      } finally {
        restUntilMs = nowMs + (performance.now() - began) / shareOfTime;
      }
    },
  };
}
