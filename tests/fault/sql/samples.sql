-- Purpose: stored points by tenant, metric and hour. FINAL, because resends must count once.
SELECT s.tenant AS tenant, d.metric AS name, toUnixTimestamp(toStartOfHour(s.time)) / 3600 AS hour, count() AS count, sum(s.value) AS sum
FROM samples AS s FINAL INNER JOIN (SELECT tenant, series, metric FROM series FINAL) AS d ON d.tenant = s.tenant AND d.series = s.series
GROUP BY tenant, name, hour
