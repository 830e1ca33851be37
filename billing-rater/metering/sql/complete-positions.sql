-- Purpose: completes a metering run. Row grain: log partition.
INSERT INTO metered_positions (partition, next, at)
SELECT p.1, p.2, fromUnixTimestamp64Milli({at:Int64}, 'UTC')
FROM (SELECT arrayJoin(JSONExtract({positions:String}, 'Array(Tuple(UInt16, UInt64))')) AS p)
