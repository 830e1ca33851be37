-- Purpose: how many versions each bucket of a meter has. Row grain: bucket.
SELECT formatDateTime(bucket, '%H:%i', 'UTC') AS bucket, toString(count()) AS versions
FROM billing_facts WHERE tenant = {tenant:UInt32} AND meter = {meter:String} GROUP BY bucket ORDER BY bucket
