-- Purpose: hours of a tenant whose facts could not be computed: nothing may be stated over them. Row grain: signal and UTC hour. FINAL: the newest mark counts.
SELECT signal, formatDateTime(bucket, '%FT%TZ', 'UTC') AS hour, refused
FROM metered FINAL
WHERE tenant = {tenant:UInt32} AND bucket >= toDateTime({start:UInt32}, 'UTC') - 3600 AND bucket < toDateTime({end:UInt32}, 'UTC') AND refused != ''
ORDER BY bucket
LIMIT 1
