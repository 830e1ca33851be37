-- Purpose: up to where the roll-ups of a tenant's metrics may be read instead of the samples.
-- Row grain: exactly one row: the first UTC hour in the range whose batches the job has not read yet; 0 when every touched hour is read.
-- Units: milliseconds since the epoch. Tie-breaks: none.
-- Why FINAL on rolled: the highest version counts. touched: max() is insensitive to duplicates.
SELECT toFloat64(ifNull(min(toUnixTimestamp(hour)), 0)) * 1000 AS firstDirty
FROM (
  SELECT bucket AS hour, max(seq) AS touchedSeq
  FROM touched
  WHERE signal = 'metrics' AND tenant = {tenant:UInt32} AND bucket >= toDateTime(intDiv({start:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv({end:Int64}, 1000), 'UTC')
  GROUP BY bucket
) AS t
LEFT JOIN (
  SELECT bucket AS hour, version, 1 AS known FROM rolled FINAL
  WHERE signal = 'metrics' AND tenant = {tenant:UInt32} AND bucket >= toDateTime(intDiv({start:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv({end:Int64}, 1000), 'UTC')
) AS r USING (hour)
WHERE known = 0 OR touchedSeq > version
