import type { WorkGate } from '../runtime/work-gate.ts';
import type { Store } from '../store/port.ts';
import type { TelemetryConsumer } from '../store/telemetry-consumer.ts';

/** How far a log partition has been read: every offset below `next`. */
export interface Position {
  readonly partition: number;
  readonly next: number;
}

/** UTC hours `[fromHour, toHour)` of occurred-at, seconds since the epoch, of all tenants or of one. */
export interface ReplayScope {
  readonly fromHour: number;
  readonly toHour: number;
  /** Engine number; null: all. */
  readonly tenant: number | null;
}

/** How the rebuilt rows of a table take the place of the live ones. */
export type SwapKind =
  /** A partition at a time, atomically: the rebuilt rows, and beside them what of the partition lies outside of the scope. */
  | 'partition'
  /** By key: rows that differ are written over, rows that the rebuilt table lacks are deleted. */
  | 'rows'
  /** Nothing is removed: what differs is appended as newer knowledge. */
  | 'append';

/** A table that a replay rebuilds. */
export interface ReplayTable {
  readonly name: string;
  /** SQL expression of a row's occurred-at, of type DateTime or DateTime64. */
  readonly time: string;
  readonly partition: 'day' | 'month' | 'none';
  readonly swap: SwapKind;
  /** Columns that may differ although the row is the same, and why that is right. */
  readonly except?: Readonly<Record<string, string>>;
  /** Rows in hours around the scope that its figures look at, taken from the live table. *Units* hours. */
  readonly context?: { readonly before: number; readonly after: number };
  /** Canonical rows as known at a cut-off, where `FINAL` is not what readers read. *Shape* a SELECT with the columns `tenant`, `at` (occurred-at) and whatever else makes the row. */
  readonly knownRows?: (source: string, scope: string, knownAt: readonly Position[]) => string;
  /** For `append`: the statement that appends to the live table what differs at a cut-off. */
  readonly append?: (shadow: string, scope: string, knownAt: readonly Position[]) => string;
}

/** Computes tables from the stored ones; each folder with such tables registers one. */
export interface Rebuilder {
  readonly name: string;
  readonly tables: readonly ReplayTable[];
  /** Brings the tables of this database up to the positions, from its own `touched`. What is up to date is left alone. */
  rebuild(store: Store, positions: readonly Position[]): Promise<void>;
  /** After the live tables of the scope were replaced: what later hours have taken from them is computed anew. */
  afterSwap?(store: Store, scope: ReplayScope, positions: readonly Position[]): Promise<void>;
  /** Log positions at which figures of the scope were fixed for good, such as those of sealed periods. */
  cutOffs?(scope: ReplayScope): Promise<readonly (readonly Position[])[]>;
}

/** What replay and backup need of the other modules of this process. */
export interface Maintenance {
  readonly gate: WorkGate;
  /** Pushed by modules in `create`. */
  readonly rebuilders: Rebuilder[];
  /** A consumer as the running one, with its usage identities, whose tables stand in another store; null while this process has none. Set by the module of the consumer. */
  consumerInto: ((store: Store) => Pick<TelemetryConsumer, 'handle'>) | null;
}
