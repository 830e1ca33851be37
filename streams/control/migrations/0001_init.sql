-- Control plane: tenants, who may call, what they subscribed to, decisions, and the audit chain. SQL of PostgreSQL 15.
-- Every table has row-level security, enabled and forced. A transaction says what it may see by three settings of its own:
-- app.scope ('global', 'tenant', 'partner'), app.tenant, app.partner. A transaction that set none of them sees nothing.

DO $$
BEGIN
  -- Roles belong to the whole server, tables to one database: another database of the same server may have made them.
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'pulse_reader') THEN CREATE ROLE pulse_reader NOLOGIN; END IF;
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'pulse_writer') THEN CREATE ROLE pulse_writer NOLOGIN; END IF;
  -- Appends to the audit chain and does nothing else; the writer cannot.
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'pulse_auditor') THEN CREATE ROLE pulse_auditor NOLOGIN; END IF;
END
$$;
GRANT pulse_reader, pulse_writer, pulse_auditor TO CURRENT_USER;

CREATE TABLE partners (
  id text PRIMARY KEY CHECK (id ~ '^[a-z0-9-]{1,40}$'),
  name text NOT NULL,
  tier text NOT NULL CHECK (tier IN ('bronze', 'silver', 'gold')),
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tenants (
  id text PRIMARY KEY CHECK (id ~ '^[a-z0-9-]{1,40}$'),
  -- Stands for the tenant in the time-series tables. From an identity: never reused, not even after a delete.
  number integer GENERATED ALWAYS AS IDENTITY UNIQUE,
  name text NOT NULL,
  tier text NOT NULL,
  plan text NOT NULL,
  region text NOT NULL,
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  time_zone text NOT NULL,
  partner_id text REFERENCES partners (id),
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended', 'cancelled')),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tenants_partner ON tenants (partner_id);

CREATE TABLE subscriptions (
  id text PRIMARY KEY,
  tenant_id text NOT NULL REFERENCES tenants (id),
  tier text NOT NULL,
  plan text NOT NULL,
  -- Half-open: from valid_from up to, without, valid_to; null = still running.
  valid_from timestamptz NOT NULL,
  valid_to timestamptz CHECK (valid_to >= valid_from)
);
CREATE INDEX subscriptions_tenant ON subscriptions (tenant_id, valid_from);
CREATE UNIQUE INDEX subscriptions_one_running ON subscriptions (tenant_id) WHERE valid_to IS NULL;

CREATE TABLE people (
  id text PRIMARY KEY,
  email text NOT NULL UNIQUE,
  name text NOT NULL,
  role text NOT NULL CHECK (role IN ('operator', 'tenant', 'partner')),
  tenant_id text REFERENCES tenants (id),
  partner_id text REFERENCES partners (id),
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
  id text PRIMARY KEY,
  tenant_id text NOT NULL REFERENCES tenants (id),
  name text NOT NULL,
  -- Public part of the key, to find the row by.
  prefix text NOT NULL UNIQUE,
  -- SHA-256 of the whole key, hexadecimal.
  hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
  scopes text[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
CREATE INDEX api_keys_tenant ON api_keys (tenant_id, id);

CREATE TABLE audit_log (
  -- Gapless from 1, given out under the lock on audit_head.
  seq bigint PRIMARY KEY,
  at timestamptz NOT NULL,
  actor text NOT NULL,
  correlation_id text NOT NULL,
  tenant_id text,
  action text NOT NULL,
  resource text NOT NULL,
  detail jsonb NOT NULL,
  previous_hash text NOT NULL,
  hash text NOT NULL
);
CREATE INDEX audit_log_tenant ON audit_log (tenant_id, seq);

-- One row: length and last hash of the chain. Its lock puts the appends of all writers in one order, and it shows when the tail was cut off.
CREATE TABLE audit_head (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  records bigint NOT NULL,
  hash text NOT NULL
);
INSERT INTO audit_head (records, hash) VALUES (0, repeat('0', 64));

CREATE TABLE decisions (
  id text PRIMARY KEY,
  tenant_id text NOT NULL REFERENCES tenants (id),
  kind text NOT NULL,
  idempotency_key text NOT NULL UNIQUE,
  proposed_at timestamptz NOT NULL,
  document jsonb NOT NULL
);
CREATE INDEX decisions_tenant ON decisions (tenant_id, proposed_at);

CREATE TABLE decision_outcomes (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  decision_id text NOT NULL REFERENCES decisions (id),
  tenant_id text NOT NULL REFERENCES tenants (id),
  state text NOT NULL,
  at timestamptz NOT NULL,
  document jsonb NOT NULL
);
CREATE INDEX decision_outcomes_decision ON decision_outcomes (decision_id, seq);

CREATE TABLE rate_cards (
  id text NOT NULL,
  version integer NOT NULL CHECK (version > 0),
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  region text,
  effective_from timestamptz NOT NULL,
  document jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (id, version)
);

-- Row-level security -----------------------------------------------------------------------------------------------

CREATE FUNCTION pulse_scope() RETURNS text LANGUAGE sql STABLE AS $$ SELECT current_setting('app.scope', true) $$;

-- True when the transaction may see rows of this tenant. The partner's branch reads tenants under its own policy.
CREATE FUNCTION pulse_sees_tenant(row_tenant text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT CASE current_setting('app.scope', true)
    WHEN 'global' THEN true
    WHEN 'tenant' THEN coalesce(row_tenant = current_setting('app.tenant', true), false)
    WHEN 'partner' THEN EXISTS (SELECT 1 FROM tenants WHERE id = row_tenant AND partner_id = current_setting('app.partner', true))
    ELSE false
  END
$$;

CREATE FUNCTION pulse_sees_partner(row_partner text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT CASE current_setting('app.scope', true)
    WHEN 'global' THEN true
    WHEN 'partner' THEN coalesce(row_partner = current_setting('app.partner', true), false)
    ELSE false
  END
$$;

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['partners', 'tenants', 'subscriptions', 'people', 'api_keys', 'audit_log', 'audit_head', 'decisions', 'decision_outcomes', 'rate_cards']
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
  END LOOP;
  FOREACH name IN ARRAY ARRAY['subscriptions', 'api_keys', 'decisions', 'decision_outcomes']
  LOOP
    EXECUTE format('CREATE POLICY by_tenant ON %I TO pulse_reader, pulse_writer USING (pulse_sees_tenant(tenant_id)) WITH CHECK (pulse_sees_tenant(tenant_id))', name);
  END LOOP;
END
$$;

-- Not through pulse_sees_tenant: that reads this table.
CREATE POLICY by_tenant ON tenants TO pulse_reader, pulse_writer
  USING (pulse_scope() = 'global'
    OR (pulse_scope() = 'tenant' AND id = current_setting('app.tenant', true))
    OR (pulse_scope() = 'partner' AND partner_id = current_setting('app.partner', true)))
  WITH CHECK (pulse_scope() = 'global'
    OR (pulse_scope() = 'tenant' AND id = current_setting('app.tenant', true))
    OR (pulse_scope() = 'partner' AND partner_id = current_setting('app.partner', true)));
CREATE POLICY by_partner ON partners TO pulse_reader, pulse_writer
  USING (pulse_sees_partner(id)) WITH CHECK (pulse_sees_partner(id));
CREATE POLICY by_tenant_or_partner ON people TO pulse_reader, pulse_writer
  USING (pulse_sees_tenant(tenant_id) OR pulse_sees_partner(partner_id))
  WITH CHECK (pulse_sees_tenant(tenant_id) OR pulse_sees_partner(partner_id));
-- A price list concerns no tenant: whoever has a scope reads it, only the platform writes it.
CREATE POLICY readable ON rate_cards FOR SELECT TO pulse_reader, pulse_writer
  USING (pulse_scope() IN ('global', 'tenant', 'partner'));
CREATE POLICY by_platform ON rate_cards FOR INSERT TO pulse_writer WITH CHECK (pulse_scope() = 'global');
CREATE POLICY by_tenant ON audit_log FOR SELECT TO pulse_reader, pulse_writer USING (pulse_sees_tenant(tenant_id));
CREATE POLICY by_auditor ON audit_log FOR INSERT TO pulse_auditor WITH CHECK (true);
CREATE POLICY by_platform ON audit_head FOR SELECT TO pulse_reader USING (pulse_scope() = 'global');
CREATE POLICY by_auditor ON audit_head TO pulse_auditor USING (true) WITH CHECK (true);

GRANT SELECT ON partners, tenants, subscriptions, people, api_keys, audit_log, decisions, decision_outcomes, rate_cards
  TO pulse_reader, pulse_writer;
GRANT SELECT ON audit_head TO pulse_reader;
GRANT INSERT, UPDATE ON partners, tenants, subscriptions, people, api_keys TO pulse_writer;
GRANT DELETE ON people TO pulse_writer;
-- Append-only: no UPDATE, no DELETE for anybody, and a trigger for whoever passes grants by.
GRANT INSERT ON decisions, decision_outcomes, rate_cards TO pulse_writer;
GRANT INSERT ON audit_log TO pulse_auditor;
GRANT SELECT, UPDATE ON audit_head TO pulse_auditor;

CREATE FUNCTION pulse_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME USING ERRCODE = '55000';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION pulse_refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON decisions FOR EACH STATEMENT EXECUTE FUNCTION pulse_refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON decision_outcomes FOR EACH STATEMENT EXECUTE FUNCTION pulse_refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rate_cards FOR EACH STATEMENT EXECUTE FUNCTION pulse_refuse_change();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON audit_head FOR EACH STATEMENT EXECUTE FUNCTION pulse_refuse_change();
