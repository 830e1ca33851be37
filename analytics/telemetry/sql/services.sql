-- Purpose: the services that sent spans or log records of a tenant in a range.
-- Row grain: one row a service. Units: records as stored; a resent one that is not merged yet counts again, so the figures are for orientation.
-- Tie-breaks: by name. FINAL is not needed for that.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi
SELECT service, toFloat64(sum(spans)) AS spans, toFloat64(sum(logs)) AS logRecords
FROM (
  SELECT ServiceName AS service, count() AS spans, 0 AS logs FROM spans
  WHERE tenant = {tenant:UInt32} AND toStartOfHour(Timestamp) >= toStartOfHour(lo) AND toStartOfHour(Timestamp) <= toStartOfHour(hi) AND Timestamp >= lo AND Timestamp < hi
  GROUP BY service
  UNION ALL
  SELECT ServiceName AS service, 0 AS spans, count() AS logs FROM log_records
  WHERE tenant = {tenant:UInt32} AND toStartOfHour(Timestamp) >= toStartOfHour(lo) AND toStartOfHour(Timestamp) <= toStartOfHour(hi) AND Timestamp >= lo AND Timestamp < hi
  GROUP BY service
)
GROUP BY service
HAVING service > {after:String} OR {first:UInt8} = 1
ORDER BY service
LIMIT {limit:UInt32}
