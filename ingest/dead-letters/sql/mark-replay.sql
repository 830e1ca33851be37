-- Purpose: notes a replay, before the record is appended (newOffset below 0: not known yet) and after.
INSERT INTO dead_letter_replays (tenant, `partition`, offset, at, by, searched_from, new_offset, version)
SELECT {tenant:UInt32}, {partition:UInt16}, {offset:UInt64}, fromUnixTimestamp64Milli({atMs:Int64}), {by:String}, {searchedFrom:UInt64},
  if({newOffset:Int64} < 0, NULL, toUInt64({newOffset:Int64})), {version:UInt64}
