/** Side that receives; what hands over is the one before it in the chain of its item. */
export type LedgerHop = 'accepted' | 'logged' | 'stored' | 'rolled_up' | 'rated' | 'invoiced';

/** Who hands over to whom. */
export const handsTo: Readonly<Record<LedgerHop, 'produced' | 'accepted' | 'logged' | 'stored' | 'rated'>> = {
  accepted: 'produced',
  logged: 'accepted',
  stored: 'logged',
  rolled_up: 'stored',
  rated: 'stored',
  invoiced: 'rated',
};

export type LedgerState = 'balanced' | 'pending' | 'mismatch';

/** One hand-over of a (tenant, item, hour) as both sides count it. Sums are in units of 10^-12. */
export interface LedgerFigures {
  readonly hop: LedgerHop;
  /** Seconds since the epoch. */
  readonly hour: number;
  readonly handed: bigint;
  readonly taken: bigint;
  readonly duplicates: bigint;
  readonly conflicts: bigint;
  readonly handedSum: bigint;
  readonly takenSum: bigint;
  readonly duplicateSum: bigint;
  readonly handedSeconds: bigint;
  readonly takenSeconds: bigint;
  /** Log offset behind the newest batch of the signal's hour; 0 when no batch is known. */
  readonly reach: bigint;
  /** Log offset behind what the receiving side has read; 0 when it has read nothing. */
  readonly done: bigint;
  /** Sums are compared. */
  readonly exact: boolean;
  /** Less may be taken than was handed over. */
  readonly mayLeave: boolean;
}

/** How far consumer and metering have come in the partition of the tenant: offsets below are in the tables, in the facts. */
export interface LedgerReached {
  readonly committed: bigint;
  readonly metered: bigint;
}

const hourSeconds = 3600;
/** What is computed from an hour is due this long after its end. */
const graceSeconds = 900;

/**
 * The rule of `sql/ledger-hours.sql` in plain code, which the engine is tested against.
 *
 * *Shape* a difference is `pending` while it is not due, while a batch of the hour is not committed, and while the receiving side has a batch still to read (equal counts can be a coincidence then); afterwards `mismatch`.
 */
export function judge(figures: LedgerFigures, reached: LedgerReached, nowSeconds: number): LedgerState {
  const { hop, reach, done } = figures;
  const flying = hop !== 'accepted' && reach > reached.committed;
  const unread =
    hop === 'rolled_up'
      ? done === 0n || reach > done
      : hop === 'rated'
        ? reach > reached.metered
        : hop === 'invoiced' && done > reached.metered;
  const computed = hop !== 'logged' && hop !== 'stored';
  const dueAt = figures.hour + hourSeconds + (computed ? graceSeconds : 0);
  if (agrees(figures) && !unread) return 'balanced';
  return unread || flying || nowSeconds < dueAt ? 'pending' : 'mismatch';
}

/** Conflicts are among the duplicates: more of them than duplicates would be counted twice somewhere. */
function agrees(figures: LedgerFigures): boolean {
  const { handed, taken, duplicates, conflicts } = figures;
  if (figures.mayLeave) return taken <= handed;
  return (
    handed === taken + duplicates &&
    conflicts <= duplicates &&
    figures.handedSeconds === figures.takenSeconds &&
    (!figures.exact || figures.handedSum === figures.takenSum + figures.duplicateSum)
  );
}
