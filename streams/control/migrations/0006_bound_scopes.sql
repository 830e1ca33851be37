-- A scope of one tenant may be bound to a partner as well: the row then has to be both the tenant's and one of the partner's tenants.
-- So a scope can be made of the credential and of what was asked for, and what was asked for alone opens nothing.

CREATE OR REPLACE FUNCTION pulse_sees_tenant(row_tenant text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT CASE current_setting('app.scope', true)
    WHEN 'global' THEN true
    WHEN 'tenant' THEN coalesce(row_tenant = current_setting('app.tenant', true), false)
      AND (coalesce(current_setting('app.partner', true), '') = ''
        OR EXISTS (SELECT 1 FROM tenants WHERE id = row_tenant AND partner_id = current_setting('app.partner', true)))
    WHEN 'partner' THEN EXISTS (SELECT 1 FROM tenants WHERE id = row_tenant AND partner_id = current_setting('app.partner', true))
    ELSE false
  END
$$;

DROP POLICY by_tenant ON tenants;
CREATE POLICY by_tenant ON tenants TO pulse_reader, pulse_writer
  USING (pulse_scope() = 'global'
    OR (pulse_scope() = 'tenant' AND id = current_setting('app.tenant', true)
      AND (coalesce(current_setting('app.partner', true), '') = '' OR partner_id = current_setting('app.partner', true)))
    OR (pulse_scope() = 'partner' AND partner_id = current_setting('app.partner', true)))
  WITH CHECK (pulse_scope() = 'global'
    OR (pulse_scope() = 'tenant' AND id = current_setting('app.tenant', true)
      AND (coalesce(current_setting('app.partner', true), '') = '' OR partner_id = current_setting('app.partner', true)))
    OR (pulse_scope() = 'partner' AND partner_id = current_setting('app.partner', true)));
