-- Purpose: the hand-overs of an hour from what each side counted (table `sides`), judged. Row grain: tenant, item, receiving side and hour. Rule in plain code: ledger-rule.ts.
-- A difference is pending while it is not due, while a batch of the hour is not committed, and while the receiving side has a batch still to read; afterwards a mismatch.
-- state: 0 balanced, 1 pending, 2 mismatch. newest: the newest batch of the signal's hour, whatever side tells it; what is rated follows from the hour before too (newest_held).
SELECT tenant, signal, item, hop, hour, handed, taken, duplicates, conflicts, handed_sum, taken_sum, duplicate_sum, conflict_sum, handed_seconds, taken_seconds, bitAnd(rule, 1) AS exact,
  transform(part, {partitions:Array(UInt16)}, {committed:Array(UInt64)}, toUInt64(0)) AS stored_next,
  transform(part, {partitions:Array(UInt16)}, {metered:Array(UInt64)}, toUInt64(0)) AS metered_next,
  hop != 'accepted' AND newest > stored_next AS flying,
  multiIf(hop = 'rolled_up', done = 0 OR newest > done, hop = 'rated', newest_held > metered_next, hop = 'invoiced', done > metered_next, false) AS unread,
  if(bitAnd(rule, 2) = 2, taken <= handed,
    handed = taken + duplicates AND conflicts <= duplicates AND handed_seconds = taken_seconds AND (bitAnd(rule, 1) = 0 OR handed_sum = taken_sum + duplicate_sum)) AS agrees,
  multiIf(agrees AND NOT unread, 0, unread OR flying OR {now:UInt32} < toUnixTimestamp(hour) + 3600 + if(hop IN ('logged', 'stored'), 0, 900), 1, 2) AS state
FROM (
  SELECT *, max(reach) OVER own AS newest, max(reach) OVER held AS newest_held, max(partition) OVER held AS part
  FROM (
    SELECT tenant, signal, item, hop, hour, sum(handed) AS handed, sum(taken) AS taken, sum(duplicates) AS duplicates, sum(conflicts) AS conflicts,
      sum(handed_sum) AS handed_sum, sum(taken_sum) AS taken_sum, sum(duplicate_sum) AS duplicate_sum, sum(conflict_sum) AS conflict_sum,
      sum(handed_seconds) AS handed_seconds, sum(taken_seconds) AS taken_seconds, max(reach) AS reach, max(done) AS done, max(partition) AS partition, groupBitOr(rule) AS rule
    FROM sides
    WHERE hour >= toDateTime({fromHour:UInt32}, 'UTC') AND hour < toDateTime({toHour:UInt32}, 'UTC') AND (empty({tenants:Array(UInt32)}) OR has({tenants:Array(UInt32)}, tenant))
    GROUP BY tenant, signal, item, hop, hour
  )
  WINDOW own AS (PARTITION BY tenant, signal ORDER BY toUnixTimestamp(hour) RANGE BETWEEN CURRENT ROW AND CURRENT ROW),
    held AS (PARTITION BY tenant, signal ORDER BY toUnixTimestamp(hour) RANGE BETWEEN 3600 PRECEDING AND CURRENT ROW)
)
