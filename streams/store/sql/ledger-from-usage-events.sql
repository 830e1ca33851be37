-- Purpose: usage events that stand in the table, for the ledger: of the signal, and of each meter that selects their type (eventMeters: type, meter). Row grain: tenant, item and hour.
-- FINAL: an event is one row whatever was re-delivered. Sums are exact decimals.
WITH chosen AS (SELECT m.1 AS type, groupArray(m.2) AS meters FROM (SELECT arrayJoin(JSONExtract({eventMeters:String}, 'Array(Tuple(String, String))')) AS m) GROUP BY type)
SELECT tenant, 'events' AS signal, side.1 AS item, side.2 AS hop, hour, sum(side.3) AS handed, sum(side.4) AS taken, sum(side.5) AS handed_sum, sum(side.6) AS taken_sum, toUInt8(1) AS rule
FROM (
  SELECT counted.tenant AS tenant, counted.hour AS hour, arrayConcat(
    [('events', 'stored', toUInt64(0), counted.n, toDecimal128(0, 12), counted.total)],
    arrayMap(meter -> (meter, 'rated', counted.n, toUInt64(0), counted.total, toDecimal128(0, 12)), chosen.meters)) AS sides
  FROM (
    SELECT tenant, type, toStartOfHour(time) AS hour, count() AS n, sum(value) AS total
    FROM usage_events FINAL
    PREWHERE time >= toDateTime64({fromHour:UInt32}, 3, 'UTC') AND time < toDateTime64({toHour:UInt32}, 3, 'UTC') AND ({tenant:UInt32} = 0 OR tenant = {tenant:UInt32})
    GROUP BY tenant, type, hour
  ) AS counted LEFT JOIN chosen ON chosen.type = counted.type
) ARRAY JOIN sides AS side
GROUP BY tenant, item, hop, hour
