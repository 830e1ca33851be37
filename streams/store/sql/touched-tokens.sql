-- Batches of a log partition that the ledger holds and that end at or behind an offset. One row a batch.
SELECT DISTINCT token FROM touched WHERE partition = {partition:UInt16} AND seq >= {from:UInt64}
