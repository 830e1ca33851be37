-- Purpose: what the doors accepted, by signal.
-- Row grain: a signal and step of received-at. Units: records a second; a histogram point counts 1. Bias: records of hours more than two days before the range (backfill) are left out, so that the key prunes.
-- Why FINAL: a hand-over that was written again is one.
SELECT $__timeInterval(at) AS time, signal, sum(accepted) / $__interval_s AS records
FROM touched FINAL
WHERE bucket >= $__fromTime - INTERVAL 2 DAY AND arrived >= toYYYYMM($__fromTime - INTERVAL 1 DAY) AND $__timeFilter_ms(at)
GROUP BY time, signal
ORDER BY time, signal
