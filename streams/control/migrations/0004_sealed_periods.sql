-- Billing periods whose usage is final, and hours of the conservation ledger that do not balance.

-- Append-only: what was sealed stays sealed; what comes later is an adjustment.
CREATE TABLE sealed_periods (
  tenant_id text NOT NULL REFERENCES tenants (id),
  -- The month in which the period starts, 2026-11.
  period text NOT NULL CHECK (period ~ '^\d{4}-(0[1-9]|1[0-2])$'),
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
  sealed_at timestamptz NOT NULL,
  sealed_by text NOT NULL,
  -- Log positions that the usage was read up to.
  known_at text NOT NULL,
  -- Quantity of each meter, the draft's total and the rate card that made it, and what producers numbered and never delivered.
  totals jsonb NOT NULL CHECK (jsonb_typeof(totals) = 'object'),
  PRIMARY KEY (tenant_id, period)
);

-- Where the ledger differs, one row each time an hour begins to differ.
CREATE TABLE ledger_alerts (
  tenant_id text NOT NULL REFERENCES tenants (id),
  -- A signal or a meter.
  subject text NOT NULL,
  hop text NOT NULL,
  hour timestamptz NOT NULL,
  opened_at timestamptz NOT NULL,
  -- Null while the hour differs.
  resolved_at timestamptz,
  -- The hand-over as it was when the alert was opened.
  document jsonb NOT NULL CHECK (jsonb_typeof(document) = 'object'),
  PRIMARY KEY (tenant_id, subject, hop, hour, opened_at)
);
CREATE INDEX ledger_alerts_open ON ledger_alerts (opened_at) WHERE resolved_at IS NULL;

ALTER TABLE sealed_periods ENABLE ROW LEVEL SECURITY;
ALTER TABLE sealed_periods FORCE ROW LEVEL SECURITY;
ALTER TABLE ledger_alerts ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_alerts FORCE ROW LEVEL SECURITY;

CREATE POLICY readable ON sealed_periods FOR SELECT TO pulse_reader, pulse_writer USING (pulse_sees_tenant(tenant_id));
-- A tenant cannot seal its own bill, nor say that an hour balances.
CREATE POLICY by_platform ON sealed_periods FOR INSERT TO pulse_writer WITH CHECK (pulse_scope() = 'global');
CREATE POLICY readable ON ledger_alerts FOR SELECT TO pulse_reader, pulse_writer USING (pulse_sees_tenant(tenant_id));
CREATE POLICY by_platform_insert ON ledger_alerts FOR INSERT TO pulse_writer WITH CHECK (pulse_scope() = 'global');
CREATE POLICY by_platform_update ON ledger_alerts FOR UPDATE TO pulse_writer USING (pulse_scope() = 'global') WITH CHECK (pulse_scope() = 'global');

GRANT SELECT ON sealed_periods, ledger_alerts TO pulse_reader, pulse_writer;
GRANT INSERT ON sealed_periods, ledger_alerts TO pulse_writer;
GRANT UPDATE (resolved_at) ON ledger_alerts TO pulse_writer;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sealed_periods FOR EACH STATEMENT EXECUTE FUNCTION pulse_refuse_change();
