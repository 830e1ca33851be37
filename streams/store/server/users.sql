-- Users of a ClickHouse server that holds the store in database `default` (write another name where PULSE_CLICKHOUSE_URL has one). Run once by an administrator, after the passwords are filled in; `row-policies.sql` follows.
-- The server's configuration needs <access_control_improvements><users_without_row_policies_can_read_rows>false</users_without_row_policies_can_read_rows></access_control_improvements>
-- and <custom_settings_prefixes>SQL_</custom_settings_prefixes>.

-- Pulse's own processes (PULSE_CLICKHOUSE_URL).
CREATE ROLE IF NOT EXISTS pulse_writer;
GRANT SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE, SHOW ON default.* TO pulse_writer;
GRANT CREATE DATABASE, DROP DATABASE, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, SELECT, INSERT, ALTER ON *.* TO pulse_writer;
GRANT CREATE FUNCTION, DROP FUNCTION ON *.* TO pulse_writer;
GRANT SELECT ON system.* TO pulse_writer;
CREATE USER IF NOT EXISTS pulse IDENTIFIED WITH sha256_password BY 'CHANGE-ME-WRITER' DEFAULT ROLE pulse_writer;
GRANT pulse_writer TO pulse;

-- Reading: limits that nobody with the profile can change.
CREATE SETTINGS PROFILE IF NOT EXISTS pulse_reading SETTINGS
  readonly = 2 CONST, allow_ddl = 0 CONST, allow_introspection_functions = 0 CONST,
  max_execution_time = 30 MAX 30, max_memory_usage = 1000000000 MAX 1000000000, max_result_rows = 1000000 MAX 1000000, max_result_bytes = 134217728 MAX 134217728,
  max_concurrent_queries_for_user = 4 CONST;

-- Dashboards of the operator.
CREATE ROLE IF NOT EXISTS pulse_operator_reader SETTINGS PROFILE 'pulse_reading';
GRANT SELECT ON default.* TO pulse_operator_reader;
CREATE USER IF NOT EXISTS pulse_dashboards IDENTIFIED WITH sha256_password BY 'CHANGE-ME-DASHBOARDS' DEFAULT ROLE pulse_operator_reader;
GRANT pulse_operator_reader TO pulse_dashboards;

-- Tenants. One user each; the number is the tenant's column `tenant` (table tenants).
CREATE ROLE IF NOT EXISTS pulse_tenant_reader SETTINGS PROFILE 'pulse_reading';
GRANT SELECT ON default.samples TO pulse_tenant_reader;
GRANT SELECT ON default.series TO pulse_tenant_reader;
GRANT SELECT ON default.histograms TO pulse_tenant_reader;
GRANT SELECT ON default.exponential_histograms TO pulse_tenant_reader;
GRANT SELECT ON default.summaries TO pulse_tenant_reader;
GRANT SELECT ON default.exemplars TO pulse_tenant_reader;
GRANT SELECT ON default.spans TO pulse_tenant_reader;
GRANT SELECT ON default.log_records TO pulse_tenant_reader;
GRANT SELECT ON default.usage_events TO pulse_tenant_reader;
GRANT SELECT ON default.usage_conflicts TO pulse_tenant_reader;
GRANT SELECT ON default.series_hour TO pulse_tenant_reader;
GRANT SELECT ON default.series_minute TO pulse_tenant_reader;
GRANT SELECT ON default.usage_hour TO pulse_tenant_reader;
GRANT SELECT ON default.billing_facts TO pulse_tenant_reader;
GRANT SELECT ON default.sla_hour TO pulse_tenant_reader;
GRANT SELECT ON default.tenants TO pulse_tenant_reader;
GRANT SELECT ON default.otel_traces TO pulse_tenant_reader;
GRANT SELECT ON default.otel_logs TO pulse_tenant_reader;

-- For each tenant:
CREATE USER IF NOT EXISTS tenant_isp_alpha IDENTIFIED WITH sha256_password BY 'CHANGE-ME-ISP-ALPHA' DEFAULT ROLE pulse_tenant_reader SETTINGS SQL_pulse_tenant = 1 CONST;
GRANT pulse_tenant_reader TO tenant_isp_alpha;
