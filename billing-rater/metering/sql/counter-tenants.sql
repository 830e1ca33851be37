-- Purpose: which of the tenants have counters that meters read. Row grain: tenant. No FINAL: a repeated row changes nothing.
SELECT DISTINCT tenant FROM series
WHERE tenant IN (SELECT arrayJoin(JSONExtract({tenants:String}, 'Array(UInt32)'))) AND metric IN (SELECT arrayJoin(JSONExtract({metrics:String}, 'Array(String)'))) AND kind = 'sum' AND monotonic
