-- What a tenant may send, hold and read, where it differs from the defaults, and how much of its data was turned away.

DO $$
BEGIN
  -- Adds to counters and does nothing else: the one writer that leaves no audit record.
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'pulse_counter') THEN CREATE ROLE pulse_counter NOLOGIN; END IF;
END
$$;
GRANT pulse_counter TO CURRENT_USER;

CREATE TABLE tenant_limits (
  tenant_id text PRIMARY KEY REFERENCES tenants (id),
  -- Only what differs from the defaults, validated by the program; an absent name means the default.
  overrides jsonb NOT NULL CHECK (jsonb_typeof(overrides) = 'object'),
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- Kept for 35 days: it explains, it proves nothing that is billed.
CREATE TABLE rejected_counts (
  tenant_id text NOT NULL REFERENCES tenants (id),
  -- UTC hour of received-at.
  hour timestamptz NOT NULL,
  signal text NOT NULL,
  reason text NOT NULL,
  -- Records refused alone; a request refused whole before its records were known counts once.
  records bigint NOT NULL CHECK (records > 0),
  -- Received-at of the newest, and what was said about it; never anything of the payload.
  last_at timestamptz NOT NULL,
  detail text NOT NULL CHECK (length(detail) <= 500),
  PRIMARY KEY (tenant_id, hour, signal, reason)
);
CREATE INDEX rejected_counts_hour ON rejected_counts (hour);

ALTER TABLE tenant_limits ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_limits FORCE ROW LEVEL SECURITY;
ALTER TABLE rejected_counts ENABLE ROW LEVEL SECURITY;
ALTER TABLE rejected_counts FORCE ROW LEVEL SECURITY;

CREATE POLICY readable ON tenant_limits FOR SELECT TO pulse_reader, pulse_writer USING (pulse_sees_tenant(tenant_id));
-- A tenant cannot raise its own limits, whatever a handler lets through.
CREATE POLICY by_platform_insert ON tenant_limits FOR INSERT TO pulse_writer WITH CHECK (pulse_scope() = 'global');
CREATE POLICY by_platform_update ON tenant_limits FOR UPDATE TO pulse_writer USING (pulse_scope() = 'global') WITH CHECK (pulse_scope() = 'global');
CREATE POLICY by_tenant ON rejected_counts FOR SELECT TO pulse_reader, pulse_writer USING (pulse_sees_tenant(tenant_id));
CREATE POLICY by_counter ON rejected_counts TO pulse_counter USING (pulse_scope() = 'global') WITH CHECK (pulse_scope() = 'global');

GRANT SELECT ON tenant_limits TO pulse_reader, pulse_writer;
GRANT INSERT, UPDATE ON tenant_limits TO pulse_writer;
GRANT SELECT ON rejected_counts TO pulse_reader, pulse_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rejected_counts TO pulse_counter;
