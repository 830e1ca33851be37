-- Purpose: remembers up to which offset hours are in the facts. Row grain: signal, tenant, UTC hour.
INSERT INTO metered (signal, tenant, bucket, next, partition, refused)
SELECT h.1, h.2, toDateTime(h.3, 'UTC'), h.4, h.5, h.6
FROM (SELECT arrayJoin(JSONExtract({hours:String}, 'Array(Tuple(String, UInt32, UInt32, UInt64, UInt16, String))')) AS h)
