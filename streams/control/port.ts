import type { Transaction } from 'kysely';
import type { ControlTables } from './tables.ts';

/** Who changes something, for the audit record. */
export interface Actor {
  /** `operator`, `key:ID`, `person:ID`, `system:MODULE`. */
  readonly id: string;
  readonly correlationId: string;
}

/** Which rows a transaction may see: row-level security enforces it below every query. */
export type RowScope =
  | { readonly kind: 'tenant'; readonly tenantId: string }
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
    run: (tx: ControlTransaction) => Promise<{ result: T; audit: AuditEntry | readonly AuditEntry[] }>,
  ): Promise<T>;
  /**
   * Adds to counters (`rejected_counts`) without an audit record: its role may write nothing else.
   *
   * *Bias* for figures that explain, never for what is billed or decided.
   */
  tally<T>(run: (tx: ControlTransaction) => Promise<T>): Promise<T>;
}
