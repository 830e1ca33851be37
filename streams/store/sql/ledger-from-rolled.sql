-- Purpose: number points that the roll-ups counted when they read an hour, and the log offset up to which they read, for the ledger. Row grain: tenant and hour. FINAL: the newest version.
SELECT r.tenant AS tenant, 'metrics' AS signal, 'metrics' AS item, 'rolled_up' AS hop, r.bucket AS hour, rows AS taken, version + 1 AS done
FROM rolled AS r FINAL
PREWHERE r.signal = 'metrics' AND r.bucket >= toDateTime({fromHour:UInt32}, 'UTC') AND r.bucket < toDateTime({toHour:UInt32}, 'UTC') AND ({tenant:UInt32} = 0 OR tenant = {tenant:UInt32})
