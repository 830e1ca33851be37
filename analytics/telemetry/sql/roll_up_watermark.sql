-- Purpose: up to where the roll-ups of a tenant's metrics may be read instead of the samples.
-- Row grain: exactly one row: the first UTC hour in [start, end) whose batches the roll-up job has not read yet, null when it has read all.
-- Units: milliseconds since the epoch. Tie-breaks: none. FINAL is not needed: max() is insensitive to duplicates and older versions.
SELECT toFloat64(minOrNull(toInt64(toUnixTimestamp(hour)) * 1000)) AS firstDirty
FROM (
  SELECT bucket AS hour, max(seq) AS newest FROM touched
  WHERE signal = 'metrics' AND tenant = {tenant:UInt32} AND bucket >= toDateTime(intDiv({start:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv({end:Int64}, 1000), 'UTC')
  GROUP BY bucket
) AS t
LEFT JOIN (
  SELECT bucket AS hour, max(version) + 1 AS next FROM rolled
  WHERE signal = 'metrics' AND tenant = {tenant:UInt32} AND bucket >= toDateTime(intDiv({start:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv({end:Int64}, 1000), 'UTC')
  GROUP BY bucket
) AS r USING (hour)
WHERE newest >= next
