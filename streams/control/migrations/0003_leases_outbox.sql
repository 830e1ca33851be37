-- Who runs a scheduled job, and what happened that others are told of.

DO $$
BEGIN
  -- Takes, renews and gives back leases, and does nothing else; it leaves no audit record.
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'pulse_leaser') THEN CREATE ROLE pulse_leaser NOLOGIN; END IF;
  -- Marks domain events as sent and drops old ones, and does nothing else.
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'pulse_relay') THEN CREATE ROLE pulse_relay NOLOGIN; END IF;
END
$$;
GRANT pulse_leaser, pulse_relay TO CURRENT_USER;

CREATE TABLE leases (
  name text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 100),
  -- The process that has it; empty: nobody.
  holder text NOT NULL,
  -- Grows with every change of holder: a write that carries an older one is refused.
  token bigint NOT NULL CHECK (token >= 0),
  -- By the clock of the database, the only one that decides.
  expires_at timestamptz NOT NULL,
  -- Makes `token` a key column: to change it takes a lock that waits for the fenced transactions (FOR KEY SHARE), to renew does not.
  UNIQUE (name, token)
);

CREATE TABLE outbox (
  -- Given out under the lock on audit_head, so in the order of the commits.
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- The id of the CloudEvent: the same however often it is sent.
  id text NOT NULL UNIQUE,
  type text NOT NULL,
  -- Null: concerns the platform as a whole.
  tenant_id text REFERENCES tenants (id),
  at timestamptz NOT NULL,
  -- The CloudEvent in its JSON form.
  document jsonb NOT NULL,
  -- Null until the relay has appended it to the log.
  sent_at timestamptz
);
CREATE INDEX outbox_waiting ON outbox (seq) WHERE sent_at IS NULL;
CREATE INDEX outbox_tenant ON outbox (tenant_id, seq);
CREATE INDEX outbox_sent ON outbox (sent_at);

ALTER TABLE leases ENABLE ROW LEVEL SECURITY;
ALTER TABLE leases FORCE ROW LEVEL SECURITY;
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;

CREATE POLICY by_leaser ON leases TO pulse_leaser USING (pulse_scope() = 'global') WITH CHECK (pulse_scope() = 'global');
CREATE POLICY readable ON leases FOR SELECT TO pulse_reader USING (pulse_scope() = 'global');
CREATE POLICY by_tenant ON outbox FOR SELECT TO pulse_reader USING (pulse_sees_tenant(tenant_id));
-- With the audit record, in the same step of the same transaction: whoever changes something cannot make up an event.
CREATE POLICY by_auditor ON outbox FOR INSERT TO pulse_auditor WITH CHECK (true);
CREATE POLICY by_relay ON outbox TO pulse_relay USING (pulse_scope() = 'global') WITH CHECK (pulse_scope() = 'global');

GRANT SELECT, INSERT, UPDATE ON leases TO pulse_leaser;
GRANT SELECT ON leases TO pulse_reader;
GRANT SELECT ON outbox TO pulse_reader;
GRANT INSERT ON outbox TO pulse_auditor;
GRANT SELECT, DELETE, UPDATE (sent_at) ON outbox TO pulse_relay;
