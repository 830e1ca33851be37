import type { ColumnType, Generated } from 'kysely';

/** Instants come back as ISO strings in UTC and are written as ISO strings. */
type Instant = ColumnType<string, string | undefined, string>;
type NullableInstant = ColumnType<string | null, string | null | undefined, string | null>;
/** jsonb: objects in, objects out (the adapter serialises). */
type Json<T = unknown> = ColumnType<T, string, string>;

/** The control plane's tables as Kysely sees them; the SQL in `migrations/` decides. */
export interface ControlTables {
  tenants: {
    id: string;
    number: Generated<number>;
    name: string;
    tier: string;
    plan: string;
    region: string;
    currency: string;
    time_zone: string;
    partner_id: string | null;
    state: string;
    created_at: Instant;
  };
  /** Effective-dated: what a tenant subscribed to and when; an invoice's fee line points here. */
  subscriptions: {
    id: string;
    tenant_id: string;
    tier: string;
    plan: string;
    valid_from: Instant;
    valid_to: NullableInstant;
  };
  partners: { id: string; name: string; tier: string; created_at: Instant };
  people: {
    id: string;
    email: string;
    name: string;
    role: string;
    tenant_id: string | null;
    partner_id: string | null;
    created_at: Instant;
  };
  api_keys: {
    id: string;
    tenant_id: string;
    name: string;
    prefix: string;
    hash: string;
    scopes: string[];
    created_at: Instant;
    expires_at: NullableInstant;
    revoked_at: NullableInstant;
  };
  audit_log: {
    seq: Generated<string>;
    at: Instant;
    actor: string;
    correlation_id: string;
    tenant_id: string | null;
    action: string;
    resource: string;
    detail: Json;
    previous_hash: string;
    hash: string;
  };
  /** Append-only. `document` is the `Decision`. */
  decisions: {
    id: string;
    tenant_id: string;
    kind: string;
    idempotency_key: string;
    proposed_at: Instant;
    document: Json;
  };
  /** Append-only; the newest by `seq` gives a decision's state. `document` is the `Outcome`. */
  decision_outcomes: {
    seq: Generated<string>;
    decision_id: string;
    tenant_id: string;
    state: string;
    at: Instant;
    document: Json;
  };
  /** Effective-dated rate cards as data; `document` is validated by billing-rater. */
  rate_cards: {
    id: string;
    version: number;
    currency: string;
    region: string | null;
    effective_from: Instant;
    document: Json;
    created_at: Instant;
  };
  /** What a tenant's limits are where they differ from the defaults. `overrides` is a `LimitOverrides`. */
  tenant_limits: { tenant_id: string; overrides: Json; updated_at: Instant };
  /** How much was refused, by hour of received-at; written by `Control.tally` only. */
  rejected_counts: {
    tenant_id: string;
    hour: Instant;
    signal: string;
    reason: string;
    records: ColumnType<string, number, number>;
    last_at: Instant;
    detail: string;
  };
  /** Append-only: billing periods whose usage is final. `totals` is validated by billing-rater. */
  sealed_periods: {
    tenant_id: string;
    period: string;
    starts_at: Instant;
    ends_at: Instant;
    sealed_at: Instant;
    sealed_by: string;
    known_at: string;
    totals: Json;
  };
  /** Hours of the conservation ledger that differ, or did. `document` is the hand-over as it was found. */
  ledger_alerts: {
    tenant_id: string;
    subject: string;
    hop: string;
    hour: Instant;
    opened_at: Instant;
    resolved_at: NullableInstant;
    document: Json;
  };
  /** Replays and backups. `document` is what its kind says. */
  maintenance_runs: {
    id: string;
    kind: string;
    state: string;
    started_at: Instant;
    finished_at: NullableInstant;
    document: Json;
  };
  /** Who runs a scheduled job; written by `Leases` only. */
  leases: { name: string; holder: string; token: string; expires_at: Instant };
  /** Domain events; written with the audit record of the change they tell of, marked by the relay. `document` is a CloudEvent. */
  outbox: {
    seq: Generated<string>;
    id: string;
    type: string;
    tenant_id: string | null;
    at: Instant;
    document: Json;
    sent_at: NullableInstant;
  };
}
