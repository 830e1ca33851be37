-- Purpose: the conservation ledger of tenants in a range of UTC hours: what the door accepted, what was decoded from the log, what stands in the tables, what the roll-up counted.
-- Row grain: signal, tenant, UTC hour of occurred-at. Units: records; sums of usage values as exact decimals. FINAL everywhere: a re-delivered row counts once.
WITH
  wanted AS (SELECT arrayJoin(JSONExtract({tenants:String}, 'Array(UInt32)')) AS number),
  toDateTime({from:UInt32}, 'UTC') AS low,
  toDateTime({to:UInt32}, 'UTC') AS high
SELECT signal, tenant, toUnixTimestamp(hour) AS hour_start, toString(sum(accepted)) AS accepted, toString(sum(logged)) AS logged, toString(sum(duplicates)) AS duplicates,
  toString(sum(stored)) AS stored, toString(sum(rolled)) AS rolled, toString(sum(accepted_amount)) AS accepted_amount, toString(sum(logged_amount)) AS logged_amount,
  toString(sum(duplicate_amount)) AS duplicate_amount, toString(sum(stored_amount)) AS stored_amount, max(seq) AS newest, max(part) AS log_partition
FROM (
  SELECT signal, tenant, bucket AS hour, accepted, logged, duplicates, toUInt64(0) AS stored, toUInt64(0) AS rolled, toDecimal256(accepted_sum, 12) AS accepted_amount,
    toDecimal256(logged_sum, 12) AS logged_amount, toDecimal256(duplicate_sum, 12) AS duplicate_amount, toDecimal256(0, 12) AS stored_amount, seq, partition AS part
  FROM touched FINAL WHERE bucket >= low AND bucket < high AND tenant IN wanted
  UNION ALL
  SELECT signal, tenant, bucket, 0, 0, 0, 0, rows, toDecimal256(0, 12), toDecimal256(0, 12), toDecimal256(0, 12), toDecimal256(0, 12), 0, 0
  FROM rolled FINAL WHERE bucket >= low AND bucket < high AND tenant IN wanted
  UNION ALL
  SELECT signal, tenant, hour, 0, 0, 0, count(), 0, toDecimal256(0, 12), toDecimal256(0, 12), toDecimal256(0, 12), sum(amount), 0, 0
  FROM (
    SELECT 'metrics' AS signal, tenant, toStartOfHour(time) AS hour, toDecimal256(0, 12) AS amount FROM samples FINAL WHERE toStartOfHour(time) >= low AND toStartOfHour(time) < high AND time >= low AND time < high AND tenant IN wanted
    UNION ALL SELECT 'metrics', tenant, toStartOfHour(time), toDecimal256(0, 12) FROM histograms FINAL WHERE toStartOfHour(time) >= low AND toStartOfHour(time) < high AND time >= low AND time < high AND tenant IN wanted
    UNION ALL SELECT 'metrics', tenant, toStartOfHour(time), toDecimal256(0, 12) FROM exponential_histograms FINAL WHERE time >= low AND time < high AND tenant IN wanted
    UNION ALL SELECT 'metrics', tenant, toStartOfHour(time), toDecimal256(0, 12) FROM summaries FINAL WHERE time >= low AND time < high AND tenant IN wanted
    UNION ALL SELECT 'traces', tenant, toStartOfHour(Timestamp), toDecimal256(0, 12) FROM spans FINAL WHERE Timestamp >= low AND Timestamp < high AND tenant IN wanted
    UNION ALL SELECT 'logs', tenant, toStartOfHour(Timestamp), toDecimal256(0, 12) FROM log_records FINAL WHERE Timestamp >= low AND Timestamp < high AND tenant IN wanted
    UNION ALL SELECT 'events', tenant, toStartOfHour(time), toDecimal256(value, 12) FROM usage_events FINAL WHERE time >= low AND time < high AND tenant IN wanted
  )
  GROUP BY signal, tenant, hour
)
GROUP BY signal, tenant, hour
ORDER BY hour, tenant, signal
