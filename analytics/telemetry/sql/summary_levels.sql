-- Purpose: which quantiles the summaries of a range report. Row grain: exactly one row; `levels` ascending. FINAL is not needed: only distinct values.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi
SELECT arraySort(groupUniqArrayArray(20)(quantiles)) AS levels
FROM summaries
WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
      AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time < hi AND bitAnd(flags, 1) = 0
