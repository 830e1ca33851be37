-- Purpose: stored log records by tenant, over all hours.
SELECT tenant, 'log' AS name, 0 AS hour, count() AS count, 0 AS sum FROM log_records FINAL GROUP BY tenant
