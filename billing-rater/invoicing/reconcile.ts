import { Decimal, type Handover } from 'streams/contract';

/**
 * One tenant, signal and UTC hour of the conservation ledger.
 *
 * *Units* `hour` seconds since the epoch; sums exact, for usage events only. `rollUp` is null for signals without one.
 */
export interface LedgerHour {
  readonly tenant: string;
  readonly signal: string;
  readonly hour: number;
  readonly accepted: number;
  readonly logged: number;
  readonly duplicates: number;
  /** Of the duplicates: usage events that came again with other content and stand on the conflict list. */
  readonly conflicts: number;
  readonly stored: number;
  /** Number points stored and those that the roll-up counted; histograms and summaries are stored, not rolled up. */
  readonly rollUp: { readonly points: number; readonly counted: number; readonly rollUpPending: boolean } | null;
  readonly sums: {
    readonly accepted: Decimal;
    readonly logged: Decimal;
    readonly duplicates: Decimal;
    readonly conflicts: Decimal;
    readonly stored: Decimal;
  } | null;
  /** A batch of this hour is being stored at this moment. */
  readonly inFlight: boolean;
}

/** An hour's roll-up is due this long after its end. */
const rollUpGraceSeconds = 900;
const hourSeconds = 3600;

type Hop = Pick<Handover, 'from' | 'to' | 'counts' | 'sums'>;

function hopsOf(row: LedgerHour): { hop: Hop; dueAt: number }[] {
  const { sums, rollUp } = row;
  const end = row.hour + hourSeconds;
  const hop = (
    from: Handover['from'],
    to: Handover['to'],
    counts: Handover['counts'],
    money: readonly [Decimal, Decimal, Decimal] | null,
    dueAt: number,
  ) => ({
    hop: {
      from,
      to,
      counts,
      sums:
        money === null ? null : { from: money[0].toString(), to: money[1].toString(), duplicates: money[2].toString() },
    },
    dueAt,
  });
  const zero = Decimal.zero;
  return [
    hop(
      'accepted',
      'logged',
      { from: row.accepted, to: row.logged, duplicates: 0 },
      sums && [sums.accepted, sums.logged, zero],
      end,
    ),
    withConflicts(
      hop(
        'logged',
        'stored',
        { from: row.logged, to: row.stored, duplicates: row.duplicates },
        sums && [sums.logged, sums.stored, sums.duplicates],
        end,
      ),
      row,
    ),
    ...(rollUp === null
      ? []
      : [
          hop(
            'stored',
            'rolled_up',
            { from: rollUp.points, to: rollUp.counted, duplicates: 0 },
            null,
            rollUp.rollUpPending ? Number.POSITIVE_INFINITY : end + rollUpGraceSeconds,
          ),
        ]),
  ];
}

/** Says how many of a hand-over's duplicates are conflicts, when any is. */
function withConflicts({ hop, dueAt }: { hop: Hop; dueAt: number }, { conflicts, sums }: LedgerHour) {
  if (conflicts === 0) return { hop, dueAt };
  const named = hop.sums === null ? null : { ...hop.sums, conflicts: (sums?.conflicts ?? Decimal.zero).toString() };
  return { hop: { ...hop, counts: { ...hop.counts, conflicts }, sums: named }, dueAt };
}

/** Conflicts are among the duplicates: more of them than duplicates would be counted twice somewhere. */
function agrees({ counts, sums }: Hop): boolean {
  const explained = counts.from === counts.to + counts.duplicates && (counts.conflicts ?? 0) <= counts.duplicates;
  if (sums === null) return explained;
  const left = Decimal.parse(sums.from);
  return explained && left.equals(Decimal.parse(sums.to).add(Decimal.parse(sums.duplicates)));
}

/**
 * The hand-overs of ledger hours: what was handed over equals what arrived plus duplicates, in count and sum.
 *
 * *Shape* a difference, or a roll-up with a batch still to read, is `pending` while the hand-over is not due (hour not over, roll-up within 15 minutes of its end or with a batch still to read, a batch being stored), afterwards `mismatch`; only a mismatch unbalances.
 */
export function reconcile(rows: readonly LedgerHour[], nowMs: number): { balanced: boolean; handovers: Handover[] } {
  const handovers = rows.flatMap((row) =>
    hopsOf(row).map(({ hop, dueAt }): Handover => {
      const early = row.inFlight || nowMs < dueAt * 1000;
      // Rows are counted after they were rolled up: while a batch is still to read, equal counts can be a coincidence.
      const unread = dueAt === Number.POSITIVE_INFINITY;
      return {
        tenant: row.tenant,
        signal: row.signal,
        hour: new Date(row.hour * 1000).toISOString().replace('.000Z', 'Z'),
        ...hop,
        state: agrees(hop) && !unread ? 'balanced' : early ? 'pending' : 'mismatch',
      };
    }),
  );
  return { balanced: handovers.every(({ state }) => state !== 'mismatch'), handovers };
}
