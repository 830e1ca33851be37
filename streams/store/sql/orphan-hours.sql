-- For each series that has rows and no description, the newest hour with a row. One row a (tenant, hour). No FINAL: any row names its series.
SELECT DISTINCT tenant, toUnixTimestamp(hour) AS hour FROM (
  SELECT tenant, series, max(toStartOfHour(time)) AS hour FROM (
    SELECT tenant, series, time FROM samples UNION ALL SELECT tenant, series, time FROM histograms
    UNION ALL SELECT tenant, series, time FROM exponential_histograms UNION ALL SELECT tenant, series, time FROM summaries
  ) WHERE (tenant, series) NOT IN (SELECT tenant, series FROM series) GROUP BY tenant, series
)
