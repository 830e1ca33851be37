import type { Handover, HandoverTotal } from 'streams/contract';

/** An hour that differs, as it stands in the control plane. */
export interface LedgerAlert {
  readonly tenant: string;
  readonly subject: string;
  readonly hop: string;
  readonly hour: string;
  readonly openedAt: string;
  readonly resolvedAt: string | null;
  readonly handover: Handover;
}

/** What to write after a look at the ledger. */
export interface AlertChanges {
  readonly opened: readonly Handover[];
  readonly resolved: readonly LedgerAlert[];
}

type Named = { readonly tenant: string; readonly subject: string; readonly hop: string; readonly hour: string };
const keyOf = ({ tenant, subject, hop, hour }: Named) => `${tenant}/${subject}/${hop}/${Date.parse(hour)}`;
const nameOf = ({ tenant, signal, to, hour }: Handover): Named => ({ tenant, subject: signal, hop: to, hour });

/**
 * Compares the hours that differ now with the alerts that are open.
 *
 * *Shape* an hour is opened once, when two looks in a row find it: tables read while a batch goes in can differ for a moment. It is resolved when a look over its range no longer finds it.
 */
export function changesOf(
  found: readonly Handover[],
  before: ReadonlySet<string>,
  open: readonly LedgerAlert[],
  looked: { readonly fromMs: number; readonly toMs: number; readonly isComplete: boolean },
): AlertChanges & { readonly seen: ReadonlySet<string> } {
  const seen = new Set(found.map((handover) => keyOf(nameOf(handover))));
  const known = new Set(open.map(keyOf));
  const isInside = ({ hour }: LedgerAlert) => Date.parse(hour) >= looked.fromMs && Date.parse(hour) < looked.toMs;
  return {
    seen,
    opened: found.filter((handover) => {
      const key = keyOf(nameOf(handover));
      return before.has(key) && !known.has(key);
    }),
    resolved: looked.isComplete ? open.filter((alert) => isInside(alert) && !seen.has(keyOf(alert))) : [],
  };
}

/** Tenant-hours with a difference in any hand-over, of each hand-over. */
export function countUnbalanced(totals: readonly HandoverTotal[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { to, mismatched } of totals) counts.set(to, (counts.get(to) ?? 0) + mismatched);
  return counts;
}
