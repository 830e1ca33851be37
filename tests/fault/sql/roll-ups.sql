-- Purpose: the hour roll-up by tenant, metric and hour. FINAL, because the highest version counts.
SELECT h.tenant AS tenant, d.metric AS name, toUnixTimestamp(h.bucket) / 3600 AS hour, sum(h.count) AS count, sum(h.sum) AS sum
FROM series_hour AS h FINAL INNER JOIN (SELECT tenant, series, metric FROM series FINAL) AS d ON d.tenant = h.tenant AND d.series = h.series
GROUP BY tenant, name, hour
