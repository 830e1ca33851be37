import type { Signal } from '../contract/index.ts';

/** A range of offsets of one log partition, both ends included. */
export interface OffsetRange {
  readonly partition: number;
  readonly first: number;
  readonly last: number;
}

/** A batch that the ledger names. */
export interface KnownBatch extends OffsetRange {
  readonly token: string;
  readonly epoch: string;
}

/** Reads a batch's token: epoch-topic-partition-first-last. Null for the ledger's other rows, such as a balance written after a recovery. */
export function parseToken(token: string): KnownBatch | null {
  const match = /^(.+)-telemetry-(\d+)-(\d+)-(\d+)$/.exec(token);
  if (match === null) return null;
  const [, epoch = '', partition, first, last] = match;
  return { token, epoch, partition: Number(partition), first: Number(first), last: Number(last) };
}

/** The parts of `[from, to)` that no batch covers, cut to at most `length` offsets each. */
export function gaps(batches: readonly OffsetRange[], from: number, to: number, length: number): [number, number][] {
  const found: [number, number][] = [];
  const add = (first: number, end: number) => {
    for (let at = first; at < end; at += length) found.push([at, Math.min(end, at + length) - 1]);
  };
  let next = from;
  for (const { first, last } of batches.toSorted((a, b) => a.first - b.first)) {
    if (first >= to) break;
    if (first > next) add(next, first);
    next = Math.max(next, last + 1);
  }
  add(next, to);
  return found;
}

/** Which rows of a table the log can bring back, and how they are told. */
export type LossKind =
  /** Counted by the ledger: only hours that do not add up are read again. */
  | { readonly kind: 'counted'; readonly signal: Signal }
  /** Follows from a signal's records without being counted: everything of the part's days is read again. */
  | { readonly kind: 'uncounted'; readonly signal: Signal }
  /** Computed from other tables: what marks it as done is taken back for the part's time. */
  | { readonly kind: 'computed'; readonly marks: readonly string[] }
  | { readonly kind: 'series' | 'ledger' | 'letters' | 'marks' | 'unknown' };

const rollUp: LossKind = { kind: 'computed', marks: ['rolled'] };
const kinds: Readonly<Record<string, LossKind>> = {
  samples: { kind: 'counted', signal: 'metrics' },
  histograms: { kind: 'counted', signal: 'metrics' },
  exponential_histograms: { kind: 'counted', signal: 'metrics' },
  summaries: { kind: 'counted', signal: 'metrics' },
  spans: { kind: 'counted', signal: 'traces' },
  log_records: { kind: 'counted', signal: 'logs' },
  usage_events: { kind: 'counted', signal: 'events' },
  exemplars: { kind: 'uncounted', signal: 'metrics' },
  usage_conflicts: { kind: 'uncounted', signal: 'events' },
  series: { kind: 'series' },
  touched: { kind: 'ledger' },
  produced: { kind: 'ledger' },
  dead_letters: { kind: 'letters' },
  series_hour: rollUp,
  series_minute: rollUp,
  usage_hour: rollUp,
  counter_steps: rollUp,
  billing_facts: { kind: 'computed', marks: ['metered'] },
  sla_hour: { kind: 'computed', marks: ['sla_read', 'sla_positions'] },
  // Marks of work that is done: without them it is done again.
  rolled: { kind: 'marks' },
  // Checked against their digests when they are read, and counted again.
  ledger_counts: { kind: 'marks' },
  ledger_days: { kind: 'marks' },
  ledger_kept: { kind: 'marks' },
  metered: { kind: 'marks' },
  metered_positions: { kind: 'marks' },
  sla_read: { kind: 'marks' },
  sla_positions: { kind: 'marks' },
  // A copy of the control plane's list: compared at the start, and what is missing copied again.
  tenants: { kind: 'marks' },
};

export function lossOf(table: string): LossKind {
  return kinds[table] ?? { kind: 'unknown' };
}

/** Hours `[fromHour, toHour)` that a part's partition spans: a day (YYYYMMDD), a month (YYYYMM), or everything. Seconds since the epoch. */
export function hoursOf(partition: string): { readonly fromHour: number; readonly toHour: number } {
  const match = /^(\d{4})(\d{2})(\d{2})?$/.exec(partition);
  if (match === null) return { fromHour: 0, toHour: 4_294_944_000 };
  const [, year, month, day] = match;
  const at = (dayOffset: number, monthOffset: number) =>
    Date.UTC(Number(year), Number(month) - 1 + monthOffset, Number(day ?? 1) + dayOffset) / 1000;
  return { fromHour: at(0, 0), toHour: day === undefined ? at(0, 1) : at(1, 0) };
}
