import type { Actor } from 'streams/control';

/** What the usage of a sealed period comes to; `DecimalString`s. */
export interface SealedTotals {
  readonly meters: Readonly<Record<string, string>>;
  readonly draft: {
    readonly invoice: string;
    readonly total: string;
    readonly currency: string;
    readonly rateCard: { readonly id: string; readonly version: number };
  };
  /** Records that producers numbered and that never arrived: nothing that waiting would bring. */
  readonly missing: number;
}

/** A billing period whose usage is final. Instants are ISO 8601 in UTC. */
export interface SealedPeriod {
  readonly tenant: string;
  readonly period: string;
  readonly start: string;
  readonly end: string;
  readonly sealedAt: string;
  readonly sealedBy: string;
  readonly knownAt: string;
  readonly totals: SealedTotals;
}

/** Sealed periods, appended and never changed. */
export interface SealedPeriodStore {
  of(tenants: readonly string[], period: string): Promise<ReadonlyMap<string, SealedPeriod>>;
  /** Records it with its audit entry and the event `usage.sealed`, all or nothing. *Errors* `control.conflict` (409) when another request has sealed it. */
  add(actor: Actor, sealed: SealedPeriod): Promise<void>;
}
