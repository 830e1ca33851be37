-- Purpose: what the hours of a period hold for each meter of a tenant, whatever cut-off an invoice read to. Row grain: meter. Units: as in meter-totals; beyond = facts behind the cut-off of the last completed run.
SELECT meter, toString(sum(toDecimal256(value, 12))) AS value, toString(sum(seconds)) AS seconds, toString(sum(events)) AS events,
  countIf(version >= transform(partition, {partitions:Array(UInt16)}, {metered:Array(UInt64)}, toUInt64(0))) AS beyond
FROM (
  SELECT meter, bucket, subject, value, seconds, events, partition, version FROM billing_facts FINAL
  WHERE tenant = {tenant:UInt32} AND bucket >= toDateTime({start:UInt32}, 'UTC') AND bucket < toDateTime({end:UInt32}, 'UTC')
  ORDER BY version DESC LIMIT 1 BY meter, bucket, subject
)
GROUP BY meter
