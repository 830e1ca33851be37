-- Purpose: records that producers numbered and those of them that the door accepted, for the ledger. Row grain: tenant, signal and hour. FINAL: a resend carries the same numbers and is the same row.
-- What is missing before an export's numbers, and what of the export itself is in none of its hours, counts as produced in the first hour of that export: more accepted than numbered is a difference too. A producer silent for a day is looked up as far back as it goes.
WITH
  recent AS (
    SELECT tenant, signal, producer, first, count, any(anchored) AS anchored, min(bucket) AS begins, sum(accepted) AS total, groupArray((bucket, accepted)) AS hours
    FROM produced FINAL
    WHERE bucket >= toDateTime({fromHour:UInt32}, 'UTC') - 86400 AND bucket < toDateTime({toHour:UInt32}, 'UTC') AND ({tenant:UInt32} = 0 OR tenant = {tenant:UInt32})
    GROUP BY tenant, signal, producer, first, count
  ),
  silent AS (SELECT tenant, signal, producer FROM recent GROUP BY tenant, signal, producer HAVING min(begins) >= toDateTime({fromHour:UInt32}, 'UTC')),
  older AS (
    SELECT tenant, signal, producer, max(first + count) AS next FROM produced
    WHERE (tenant, signal, producer) IN silent AND bucket < toDateTime({fromHour:UInt32}, 'UTC') - 86400
    GROUP BY tenant, signal, producer
  ),
  exports AS (
    SELECT r.tenant AS tenant, r.signal AS signal, r.begins AS begins, r.hours AS hours, r.count AS count, r.total AS total,
      greatest(older.next, max(r.first + r.count) OVER (PARTITION BY r.tenant, r.signal, r.producer ORDER BY r.first, r.count ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS reached,
      toUInt64(multiIf(reached > 0, r.first - least(r.first, reached), r.anchored, r.first - 1, 0)) AS missing
    FROM recent AS r LEFT JOIN older ON older.tenant = r.tenant AND older.signal = r.signal AND older.producer = r.producer
  )
SELECT tenant, signal, signal AS item, 'accepted' AS hop, part.1 AS hour, sum(if(part.1 = begins, toUInt64(missing + count - least(count, total - part.2)), part.2)) AS handed, sum(part.2) AS taken
FROM exports ARRAY JOIN hours AS part
WHERE part.1 >= toDateTime({fromHour:UInt32}, 'UTC') AND part.1 < toDateTime({toHour:UInt32}, 'UTC')
GROUP BY tenant, signal, hour
