import type { Decimal } from 'streams/contract';
import type { Position } from './known-at.ts';
import type { FactTotal } from './quantity.ts';

/** Signals that meters read. */
export type MeteredSignal = 'metrics' | 'events';

/** A tenant's UTC hour that changed. *Units* `hour` seconds since the epoch; `version` the highest log offset that touched it. */
export interface DueHour {
  readonly signal: MeteredSignal;
  readonly tenant: number;
  readonly hour: number;
  readonly version: number;
  readonly partition: number;
}

/** An hour to compute, with the log position up to which events are read. */
export interface HourWork extends Omit<DueHour, 'signal'> {
  readonly position: number;
  /** The partition's position when the run began: facts are written only while it stands there still. */
  readonly completed: number;
}

/** What the metering job needs of the store. */
export interface MeteringStore {
  /** The last completed run; empty before the first. */
  completed(): Promise<{ readonly positions: readonly Position[]; readonly at: number | null }>;
  /** Hours touched in `[from, to)` of their partition and not metered since, and hours refused before. */
  due(range: readonly { partition: number; from: number; to: number }[]): Promise<DueHour[]>;
  writeFacts(signal: MeteredSignal, hours: readonly HourWork[]): Promise<void>;
  /** `refused` is the error code of hours whose facts could not be computed, empty otherwise. */
  markMetered(hours: readonly DueHour[], refused: string): Promise<void>;
  complete(positions: readonly Position[], at: number): Promise<void>;
}

/** Usage of one tenant, half-open in time, with what was known at a cut-off. */
export interface UsageRange {
  readonly tenant: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly knownAt: readonly Position[];
}

/** A fact as evidence shows it. `bucket` is its start, ISO 8601. */
export interface FactRow extends FactTotal {
  readonly bucket: string;
  readonly subject: string;
  readonly partition: number;
  readonly version: string;
}

/** A raw row behind a fact: usage event or sample. */
export type RawRow = Readonly<Record<string, string | number | null>>;

export interface RawPage {
  readonly query: string;
  readonly parameters: Record<string, unknown>;
  readonly rows: readonly RawRow[];
}

/** A page of rows whose order and number are fixed by the cut-off. */
export interface PageOf {
  readonly skip: number;
  readonly limit: number;
}

/** Reads of the billing facts; a failed read throws, it never becomes 0. */
export interface UsageReader {
  /** *Errors* `billing.hour_refused` (409) when facts of the range could not be computed. */
  totals(range: UsageRange): Promise<ReadonlyMap<string, FactTotal>>;
  facts(
    range: UsageRange,
    meter: string,
    page: PageOf,
  ): Promise<{
    readonly query: string;
    readonly parameters: Record<string, unknown>;
    readonly rows: readonly FactRow[];
  }>;
  /** Transactions of one event type, grouped by equal amount. */
  transactions(range: UsageRange, type: string): Promise<{ readonly amount: Decimal; readonly count: Decimal }[]>;
  events(range: UsageRange, type: string, page: PageOf): Promise<RawPage>;
  samples(range: UsageRange, metric: string, page: PageOf): Promise<RawPage>;
  completed(): Promise<{ readonly positions: readonly Position[]; readonly at: number | null }>;
}
