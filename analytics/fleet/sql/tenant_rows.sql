-- Purpose: what table `tenants` says of tenants. Row grain: tenant. Units: `createdSeconds` since the epoch. Why FINAL: an older copy remains until merged.
SELECT tenant AS tenantNumber, id, name, tier, plan, region, currency, time_zone AS timeZone, partner, state, toUnixTimestamp(created) AS createdSeconds
FROM tenants FINAL
