-- Purpose: what batches handed over, for the ledger. Row grain: tenant, signal, hour and hand-over. FINAL: a batch's row counts once. Sums are exact decimals of usage events.
-- PREWHERE: the conditions are about the key alone, so that they may be decided before copies are merged; otherwise every column of the whole month is read.
SELECT tenant, signal, signal AS item, side.1 AS hop, hour, side.2 AS handed, side.3 AS taken, side.4 AS duplicates, side.5 AS handed_sum, side.6 AS taken_sum, side.7 AS duplicate_sum,
  reach, partition, toUInt8(signal = 'events') AS rule
FROM (
  SELECT tenant, signal, bucket AS hour, max(seq) + 1 AS reach, any(t.partition) AS partition,
    arrayFilter(s -> s.1 != 'rolled_up' OR signal = 'metrics', [
      ('logged', sum(accepted), sum(logged), toUInt64(0), sum(accepted_sum), sum(logged_sum), toDecimal128(0, 12)),
      ('stored', sum(logged), toUInt64(0), sum(duplicates), sum(logged_sum), toDecimal128(0, 12), sum(duplicate_sum)),
      ('rolled_up', toUInt64(0), toUInt64(0), toUInt64(0), toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12))
    ]) AS sides
  FROM touched AS t FINAL
  PREWHERE bucket >= toDateTime({fromHour:UInt32}, 'UTC') AND bucket < toDateTime({toHour:UInt32}, 'UTC') AND ({tenant:UInt32} = 0 OR tenant = {tenant:UInt32})
  GROUP BY tenant, signal, bucket
) ARRAY JOIN sides AS side
