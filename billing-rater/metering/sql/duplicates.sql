-- Purpose: records of a tenant that came again and were not kept, by signal, of the hours of a period. Row grain: signal. Conflicting usage events are among them. FINAL: a batch's row counts once.
SELECT signal, toString(sum(duplicates)) AS duplicates FROM touched FINAL
WHERE signal IN ('metrics', 'events') AND tenant = {tenant:UInt32} AND bucket >= toStartOfHour(toDateTime({start:UInt32}, 'UTC')) AND bucket < toDateTime({end:UInt32}, 'UTC')
GROUP BY signal
