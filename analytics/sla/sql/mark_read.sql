-- Purpose: remembers up to which log offset hours are in the masks. Row grain: tenant, UTC hour. Units: hour in seconds since the epoch.
INSERT INTO sla_read (tenant, bucket, next)
SELECT pair.1, toDateTime(pair.2, 'UTC'), {next:UInt64} FROM (SELECT arrayJoin(arrayZip({tenants:Array(UInt32)}, {hours:Array(UInt32)})) AS pair)
