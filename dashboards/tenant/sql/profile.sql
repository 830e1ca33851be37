-- Purpose: who the tenant is. Row grain: exactly one row.
SELECT name AS Name, tier AS Tier, plan AS Plan, region AS Region, time_zone AS `Time zone`, currency AS Currency, state AS State FROM tenants FINAL WHERE id = ${tenant:sqlstring}
