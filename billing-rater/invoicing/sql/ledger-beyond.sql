-- Purpose: days with facts that the last completed metering run does not know yet: what invoices take of them will change without a change of the table. Row grain: day. Units: days since the epoch.
SELECT DISTINCT toUInt32(toDate(f.bucket)) AS day
FROM billing_facts AS f
WHERE f.bucket >= toDateTime({fromHour:UInt32}, 'UTC') AND f.bucket < toDateTime({toHour:UInt32}, 'UTC') AND f.version >= transform(f.partition, {partitions:Array(UInt16)}, {metered:Array(UInt64)}, toUInt64(0))
