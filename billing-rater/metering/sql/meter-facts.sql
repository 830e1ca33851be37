-- Purpose: the facts behind a meter's quantity in a period, as known at a cut-off of log positions; recomputing the aggregate over all pages gives the quantity.
-- Row grain: 15-minute bucket and subject. Units and versions as in meter-totals.
WITH known AS (
  SELECT k.1 AS part, k.2 AS next FROM (SELECT arrayJoin(JSONExtract({known_at:String}, 'Array(Tuple(UInt16, UInt64))')) AS k)
)
SELECT formatDateTime(bucket, '%FT%TZ', 'UTC') AS bucket_start, subject, toString(newest.1) AS value, toString(newest.2) AS seconds, toString(newest.3) AS events,
  newest.4 AS log_partition, toString(newest.5) AS version
FROM (
  SELECT f.bucket AS bucket, f.subject AS subject, argMax((f.value, f.seconds, f.events, f.partition, f.version), f.version) AS newest
  FROM billing_facts AS f INNER JOIN known ON known.part = f.partition
  WHERE f.tenant = {tenant:UInt32} AND f.meter = {meter:String} AND f.bucket >= toDateTime({start:UInt32}, 'UTC') AND f.bucket < toDateTime({end:UInt32}, 'UTC')
    AND f.version < known.next
  GROUP BY bucket, subject
)
WHERE newest.1 != 0 OR newest.2 != 0 OR newest.3 != 0
ORDER BY bucket, subject
LIMIT {limit:UInt32} OFFSET {skip:UInt32}
