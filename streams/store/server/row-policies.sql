-- Row policies of a ClickHouse server that holds the store: a tenant's user reads its own rows, Pulse and its operator all rows, everybody else none
-- (users_without_row_policies_can_read_rows = false). Views read through the policies of the tables beneath.
-- A table that tenants may read and that is not here is read by nobody; a test compares the list with the reader's.

CREATE ROW POLICY IF NOT EXISTS everything ON default.* USING 1 TO pulse_writer, pulse_operator_reader;

CREATE ROW POLICY IF NOT EXISTS own_rows ON default.samples USING tenant = toUInt32(getSetting('SQL_pulse_tenant')) TO pulse_tenant_reader;
CREATE ROW POLICY IF NOT EXISTS own_rows ON default.series USING tenant = toUInt32(getSetting('SQL_pulse_tenant')) TO pulse_tenant_reader;
CREATE ROW POLICY IF NOT EXISTS own_rows ON default.histograms USING tenant = toUInt32(getSetting('SQL_pulse_tenant')) TO pulse_tenant_reader;
CREATE ROW POLICY IF NOT EXISTS own_rows ON default.exponential_histograms USING tenant = toUInt32(getSetting('SQL_pulse_tenant')) TO pulse_tenant_reader;
CREATE ROW POLICY IF NOT EXISTS own_rows ON default.summaries USING tenant = toUInt32(getSetting('SQL_pulse_tenant')) TO pulse_tenant_reader;
CREATE ROW POLICY IF NOT EXISTS own_rows ON default.exemplars USING tenant = toUInt32(getSetting('SQL_pulse_tenant')) TO pulse_tenant_reader;
CREATE ROW POLICY IF NOT EXISTS own_rows ON default.spans USING tenant = toUInt32(getSetting('SQL_pulse_tenant')) TO pulse_tenant_reader;
CREATE ROW POLICY IF NOT EXISTS own_rows ON default.log_records USING tenant = toUInt32(getSetting('SQL_pulse_tenant')) TO pulse_tenant_reader;
CREATE ROW POLICY IF NOT EXISTS own_rows ON default.usage_events USING tenant = toUInt32(getSetting('SQL_pulse_tenant')) TO pulse_tenant_reader;
CREATE ROW POLICY IF NOT EXISTS own_rows ON default.usage_conflicts USING tenant = toUInt32(getSetting('SQL_pulse_tenant')) TO pulse_tenant_reader;
CREATE ROW POLICY IF NOT EXISTS own_rows ON default.series_hour USING tenant = toUInt32(getSetting('SQL_pulse_tenant')) TO pulse_tenant_reader;
CREATE ROW POLICY IF NOT EXISTS own_rows ON default.series_minute USING tenant = toUInt32(getSetting('SQL_pulse_tenant')) TO pulse_tenant_reader;
CREATE ROW POLICY IF NOT EXISTS own_rows ON default.usage_hour USING tenant = toUInt32(getSetting('SQL_pulse_tenant')) TO pulse_tenant_reader;
CREATE ROW POLICY IF NOT EXISTS own_rows ON default.billing_facts USING tenant = toUInt32(getSetting('SQL_pulse_tenant')) TO pulse_tenant_reader;
CREATE ROW POLICY IF NOT EXISTS own_rows ON default.sla_hour USING tenant = toUInt32(getSetting('SQL_pulse_tenant')) TO pulse_tenant_reader;
CREATE ROW POLICY IF NOT EXISTS own_rows ON default.tenants USING tenant = toUInt32(getSetting('SQL_pulse_tenant')) TO pulse_tenant_reader;
