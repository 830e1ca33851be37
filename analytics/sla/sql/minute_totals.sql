-- Purpose: measured and bad minutes of tenants, each over a stretch of its own. Row grain: tenant with a measured minute.
-- Units: minutes; `firsts` and `lasts` are half-open minutes since the epoch, in the order of `tenants`. Why FINAL: an older version of an hour remains until merged.
WITH
  toInt64(transform(tenant, {tenants:Array(UInt32)}, {firsts:Array(Int64)}, toInt64(0))) AS first,
  toInt64(transform(tenant, {tenants:Array(UInt32)}, {lasts:Array(Int64)}, toInt64(0))) AS last,
  intDiv(toUnixTimestamp(bucket), 60) AS minute,
  toUInt64(bitShiftLeft(toUInt64(1), least(60, greatest(0, last - minute)))) - 1 AS before_end,
  toUInt64(bitShiftLeft(toUInt64(1), least(60, greatest(0, first - minute)))) - 1 AS before_start,
  bitAnd(before_end, bitNot(before_start)) AS inside
SELECT tenant AS tenantNumber, toUInt32(sum(bitCount(bitAnd(measured, inside)))) AS measuredMinutes, toUInt32(sum(bitCount(bitAnd(bad, inside)))) AS badMinutes
FROM sla_hour FINAL
WHERE tenant IN {tenants:Array(UInt32)} AND bucket >= toStartOfHour(toDateTime(arrayMin({firsts:Array(Int64)}) * 60, 'UTC')) AND bucket < toDateTime(arrayMax({lasts:Array(Int64)}) * 60, 'UTC')
GROUP BY tenant
HAVING measuredMinutes > 0
