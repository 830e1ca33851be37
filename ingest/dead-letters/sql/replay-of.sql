-- Purpose: the replay of a letter, and the replay that made it. Row grain: one row a replay. Why FINAL: the newest replay of a letter counts.
SELECT offset, toUnixTimestamp64Milli(at) AS atMs, by, searched_from AS searchedFrom, new_offset AS newOffset
FROM dead_letter_replays FINAL
WHERE `partition` = {partition:UInt16} AND (offset = {offset:UInt64} OR new_offset = {offset:UInt64})
