import type { Transaction } from 'kysely';
import type { DomainEvent, DomainEventDraft } from '../contract/index.ts';
import type { ControlTables } from './tables.ts';

/** Who changes something, for the audit record. */
export interface Actor {
  /** `operator`, `key:ID`, `person:ID`, `system:MODULE`. */
  readonly id: string;
  readonly correlationId: string;
}

/** Which rows a transaction may see: row-level security enforces it below every query. */
export type RowScope =
  | {
      readonly kind: 'tenant';
      readonly tenantId: string;
      /** The tenant has to be one of this partner's, or nothing is seen. */
      readonly partnerId?: string;
    }
  | { readonly kind: 'partner'; readonly partnerId: string }
  | { readonly kind: 'global' };

/** What a change is called in the audit chain. `before` and `after` hold no secret. */
export interface AuditEntry {
  /** `tenant.create`, `api_key.revoke`, `decision.record` … resource.verb. */
  readonly action: string;
  readonly resource: string;
  readonly tenantId: string | null;
  readonly before?: unknown;
  readonly after?: unknown;
}

export type ControlTransaction = Transaction<ControlTables>;

/** What proves leadership: the token grows with every change of holder. */
export interface Fence {
  readonly name: string;
  readonly token: bigint;
}

/** A lease in hand. */
export interface Lease extends Fence {
  /** Aborted when the lease is lost or about to expire: a hint to stop, never the proof that it still holds. */
  readonly signal: AbortSignal;
  /** Asks the database. *Errors* `lease.lost` (not retryable), `control.unavailable`. */
  check(): Promise<void>;
}

/** Starts the work of a leader; it is stopped when the lease is lost or the job is stopped. */
export type LeaseWork = (lease: Lease) => Promise<{ stop(): void | Promise<void> }> | { stop(): void | Promise<void> };

/** A job that leads or stands by. */
export interface Leadership {
  readonly name: string;
  isLeading(): boolean;
  /** Stops the work, gives the lease back and leads no more. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Which process runs a scheduled job: of several that share a control plane one leads, the others stand by.
 *
 * *Shape* a lease is taken when it is free or expired by the database's clock; time alone proves nothing, so writes carry the token: `fence` of `mutate` and `tally`, `fencedStore` for the store.
 */
export interface Leases {
  /** Waits for leadership, runs `work`, stops it when the lease is lost, and tries again. A name once a process. */
  lead(name: string, work: LeaseWork): Leadership;
}

/** What a mutation gives back: its audit entries, and what others are to be told of it. */
export interface Mutation<T> {
  readonly result: T;
  readonly audit: AuditEntry | readonly AuditEntry[];
  /** Written in the same transaction, sent to topic `events` after it in the order of the commits, at least once and always under the same id. */
  readonly events?: DomainEventDraft | readonly DomainEventDraft[];
}

/** Settings of one write. */
export interface WriteOptions {
  /** Refuses the whole transaction with `lease.lost` when another process has taken the lease since; holds it off until the transaction ends. */
  readonly fence?: Fence;
}

/**
 * The control-plane database: PGlite behind its socket, or PostgreSQL, through the same `pg` driver.
 *
 * *Errors* `control.unavailable` (retryable), `control.conflict` (409, unique violation), `control.invalid` (constraint).
 */
export interface Control {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** A read-only transaction under `SET LOCAL ROLE` with the scope's row-level security. */
  read<T>(scope: RowScope, run: (tx: ControlTransaction) => Promise<T>): Promise<T>;
  /**
   * The one way to change the control plane: runs `run` in a transaction and appends what it returns as `audit` to the hash chain in the same transaction.
   * A mutation without an audit entry rolls back.
   */
  mutate<T>(
    actor: Actor,
    scope: RowScope,
    run: (tx: ControlTransaction) => Promise<Mutation<T>>,
    options?: WriteOptions,
  ): Promise<T>;
  /**
   * Adds to counters (`rejected_counts`) without an audit record: its role may write nothing else.
   *
   * *Bias* for figures that explain, never for what is billed or decided.
   */
  tally<T>(run: (tx: ControlTransaction) => Promise<T>, options?: WriteOptions): Promise<T>;
}

/** An event that waits to be sent. */
export interface OutboxEntry {
  readonly seq: string;
  readonly event: DomainEvent;
}

/** The domain events that mutations left, for the relay. */
export interface Outbox {
  /** The oldest that are not sent, in the order of their commits. */
  waiting(limit: number): Promise<OutboxEntry[]>;
  /** How many wait, and since when the oldest does, ISO 8601. */
  backlog(): Promise<{ readonly events: number; readonly since: string | null }>;
  /** *Errors* `lease.lost`. */
  markSent(entries: readonly OutboxEntry[], fence: Fence): Promise<void>;
  /** Drops events sent longer ago than this, at most 10,000 at a time; returns how many. *Errors* `lease.lost`. */
  drop(olderThanDays: number, fence: Fence): Promise<number>;
  /** Calls `wake` after a mutation of this process that left events; returns the function that ends it. */
  onWritten(wake: () => void): () => void;
}
