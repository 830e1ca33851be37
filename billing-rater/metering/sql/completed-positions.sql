-- Purpose: how far the last completed metering run has read. Row grain: log partition. FINAL: the newest run of a partition counts.
SELECT partition, next, toUnixTimestamp64Milli(at) AS at_ms FROM metered_positions FINAL ORDER BY partition
