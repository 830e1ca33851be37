-- Batches that handed over records of a signal in a range of hours. One row a batch and partition.
SELECT DISTINCT token, partition FROM touched
WHERE signal = {signal:String} AND bucket >= toDateTime({fromHour:UInt32}, 'UTC') AND bucket < toDateTime({toHour:UInt32}, 'UTC')
