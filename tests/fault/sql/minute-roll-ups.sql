-- Purpose: the minute roll-up by tenant, metric and hour. FINAL, because the highest version counts.
SELECT m.tenant AS tenant, d.metric AS name, toUnixTimestamp(toStartOfHour(m.bucket)) / 3600 AS hour, sum(m.count) AS count, sum(m.sum) AS sum
FROM series_minute AS m FINAL INNER JOIN (SELECT tenant, series, metric FROM series FINAL) AS d ON d.tenant = m.tenant AND d.series = m.series
GROUP BY tenant, name, hour
