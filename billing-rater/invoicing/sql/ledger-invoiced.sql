-- Purpose: what invoices take of each hour, for the ledger: the facts as known at the cut-off of the last completed metering run, as meter-totals reads them for a period. Periods of a tenant share no instant and leave none out.
-- Row grain: tenant, meter, hour. Units: as in meter-totals.
WITH known AS (
  SELECT k.1 AS part, k.2 AS next FROM (SELECT arrayJoin(arrayZip({partitions:Array(UInt16)}, {metered:Array(UInt64)})) AS k)
), signals AS (SELECT m.1 AS meter, m.2 AS signal FROM (SELECT arrayJoin(JSONExtract({meterSignals:String}, 'Array(Tuple(String, String, UInt8))')) AS m))
SELECT taken.tenant AS tenant, signals.signal AS signal, taken.meter AS item, 'invoiced' AS hop, taken.hour AS hour, taken.events AS taken, taken.value AS taken_sum, taken.seconds AS taken_seconds, toUInt8(1) AS rule
FROM (
  SELECT tenant, meter, toStartOfHour(bucket) AS hour, sum(newest_events) AS events, sum(newest_value) AS value, sum(newest_seconds) AS seconds
  FROM (
    SELECT f.tenant AS tenant, f.meter AS meter, f.bucket AS bucket, f.subject AS subject, argMax(f.value, f.version) AS newest_value, argMax(f.seconds, f.version) AS newest_seconds, argMax(f.events, f.version) AS newest_events
    FROM billing_facts AS f INNER JOIN known ON known.part = f.partition
    WHERE f.bucket >= toDateTime({fromHour:UInt32}, 'UTC') AND f.bucket < toDateTime({toHour:UInt32}, 'UTC') AND ({tenant:UInt32} = 0 OR f.tenant = {tenant:UInt32}) AND f.version < known.next
    GROUP BY tenant, meter, bucket, subject
  )
  GROUP BY tenant, meter, hour
  HAVING events > 0 OR value != 0 OR seconds > 0
) AS taken INNER JOIN signals ON signals.meter = taken.meter
