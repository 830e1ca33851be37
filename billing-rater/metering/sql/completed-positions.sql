-- Purpose: how far the last completed metering run has read. Row grain: log partition. FINAL: the run that read farthest counts, of equal ones the last.
SELECT partition, next, toUnixTimestamp64Milli(at) AS at_ms FROM metered_positions FINAL ORDER BY partition
