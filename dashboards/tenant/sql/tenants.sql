-- Purpose: tenants to choose from. Row grain: a tenant that is not cancelled. `__value` and `__text` are what Grafana takes for a choice.
SELECT id AS __value, concat(name, ' (', id, ')') AS __text FROM tenants FINAL WHERE state != 'cancelled' ORDER BY __text
