-- Purpose: what each meter of a tenant counted in a period, as known at a cut-off of log positions.
-- Row grain: meter. Units: value in units or unit-seconds, seconds measured. The highest version below the cut-off of each bucket counts; equal versions are equal rows, so no FINAL.
WITH known AS (
  SELECT k.1 AS part, k.2 AS next FROM (SELECT arrayJoin(JSONExtract({known_at:String}, 'Array(Tuple(UInt16, UInt64))')) AS k)
)
SELECT meter, toString(sum(toDecimal256(newest.1, 12))) AS value, toString(sum(newest.2)) AS seconds, toString(sum(newest.3)) AS events
FROM (
  SELECT f.meter AS meter, f.bucket AS bucket, f.subject AS subject, argMax((f.value, f.seconds, f.events), f.version) AS newest
  FROM billing_facts AS f INNER JOIN known ON known.part = f.partition
  WHERE f.tenant = {tenant:UInt32} AND f.bucket >= toDateTime({start:UInt32}, 'UTC') AND f.bucket < toDateTime({end:UInt32}, 'UTC') AND f.version < known.next
  GROUP BY meter, bucket, subject
)
GROUP BY meter
ORDER BY meter
