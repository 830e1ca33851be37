-- Purpose: what the usage facts hold, for the ledger: taken over from what is stored, and to be invoiced. Row grain: tenant, meter, hour and hand-over. Units: sums are units or unit-seconds, seconds measured.
-- The newest version of a fact counts, whatever a cut-off says; done is the offset behind it. FINAL: a version is one row. One argMax a column: of a tuple it is several times slower. meterSignals: meter, signal, 1 when sums are compared or 2 when less may be rated.
WITH known AS (SELECT m.1 AS meter, m.2 AS signal, m.3 AS rule FROM (SELECT arrayJoin(JSONExtract({meterSignals:String}, 'Array(Tuple(String, String, UInt8))')) AS m))
SELECT tenant, signal, item, side.1 AS hop, hour, side.2 AS handed, side.3 AS taken, side.4 AS handed_sum, side.5 AS taken_sum, side.6 AS handed_seconds, side.7 AS taken_seconds, side.8 AS done, partition, side.9 AS rule
FROM (
  SELECT f.tenant AS tenant, known.signal AS signal, f.meter AS item, toStartOfHour(f.bucket) AS hour, any(f.partition) AS partition, [
      ('rated', toUInt64(0), sum(f.events), toDecimal128(0, 12), if(any(known.rule) = 1, sum(f.value), toDecimal128(0, 12)), toUInt64(0), if(any(known.rule) = 1, sum(f.seconds), toUInt64(0)), toUInt64(0), any(known.rule)),
      ('invoiced', sum(f.events), toUInt64(0), sum(f.value), toDecimal128(0, 12), toUInt64(sum(f.seconds)), toUInt64(0), max(f.version) + 1, toUInt8(1))
    ] AS sides
  FROM (
    SELECT b.tenant AS tenant, b.meter AS meter, b.bucket AS bucket, argMax(b.value, b.version) AS value, argMax(b.seconds, b.version) AS seconds, argMax(b.events, b.version) AS events, argMax(b.partition, b.version) AS partition, max(b.version) AS version
    FROM billing_facts AS b FINAL
    PREWHERE b.bucket >= toDateTime({fromHour:UInt32}, 'UTC') AND b.bucket < toDateTime({toHour:UInt32}, 'UTC') AND ({tenant:UInt32} = 0 OR b.tenant = {tenant:UInt32})
    GROUP BY tenant, meter, bucket, b.subject
  ) AS f INNER JOIN known ON known.meter = f.meter
  GROUP BY tenant, signal, item, hour
  HAVING sum(f.events) > 0 OR sum(f.value) != 0 OR sum(f.seconds) > 0
) ARRAY JOIN sides AS side
