-- Marks the given hours as rolled up to a version, with the samples under FINAL at that time. One row a (tenant, hour), also for hours without samples.
INSERT INTO rolled (signal, tenant, bucket, version, rows)
SELECT 'metrics', asked.tenant, asked.bucket, {version:UInt64}, counted.rows
FROM (
  SELECT tupleElement(pair, 1) AS tenant, tupleElement(pair, 2) AS bucket
  FROM (SELECT arrayJoin(arrayZip({tenants:Array(UInt32)}, arrayMap(h -> toDateTime(h, 'UTC'), {hours:Array(UInt32)}))) AS pair)
) AS asked
LEFT JOIN (
  SELECT tenant, toStartOfHour(time) AS bucket, count() AS rows
  FROM samples FINAL
  WHERE (tenant, toStartOfHour(time)) IN (SELECT arrayJoin(arrayZip({tenants:Array(UInt32)}, arrayMap(h -> toDateTime(h, 'UTC'), {hours:Array(UInt32)}))))
    AND toStartOfHour(time) BETWEEN toDateTime({fromHour:UInt32}, 'UTC') AND toDateTime({toHour:UInt32}, 'UTC')
    AND time >= toDateTime64({fromHour:UInt32}, 3, 'UTC') AND time < toDateTime64({toHour:UInt32} + 3600, 3, 'UTC')
  GROUP BY tenant, bucket
) AS counted ON asked.tenant = counted.tenant AND asked.bucket = counted.bucket
