-- Purpose: stored usage events by tenant and type, over all hours.
SELECT tenant, type AS name, 0 AS hour, count() AS count, sum(value) AS sum FROM usage_events FINAL GROUP BY tenant, type
