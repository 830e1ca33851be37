-- Purpose: how much of a tenant is stored and visible in a half-open range of occurred-at.
-- Row grain: exactly one row. Units: records; a point of any metric kind counts 1.
-- Tie-breaks: none. Why FINAL: a resend is a second row until the engine merges; it must not count twice.
-- The condition on toStartOfHour repeats the time condition because only it prunes the sort key.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi
SELECT
  toFloat64(
    (SELECT count() FROM samples FINAL WHERE tenant = {tenant:UInt32} AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time < hi)
    + (SELECT count() FROM histograms FINAL WHERE tenant = {tenant:UInt32} AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time < hi)
    + (SELECT count() FROM exponential_histograms FINAL WHERE tenant = {tenant:UInt32} AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time < hi)
    + (SELECT count() FROM summaries FINAL WHERE tenant = {tenant:UInt32} AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time < hi)
  ) AS points,
  toFloat64((SELECT count() FROM spans FINAL WHERE tenant = {tenant:UInt32} AND toStartOfHour(Timestamp) >= toStartOfHour(lo) AND toStartOfHour(Timestamp) <= toStartOfHour(hi) AND Timestamp >= lo AND Timestamp < hi)) AS spans,
  toFloat64((SELECT count() FROM log_records FINAL WHERE tenant = {tenant:UInt32} AND toStartOfHour(Timestamp) >= toStartOfHour(lo) AND toStartOfHour(Timestamp) <= toStartOfHour(hi) AND Timestamp >= lo AND Timestamp < hi)) AS logRecords,
  toFloat64((SELECT count() FROM usage_events FINAL WHERE tenant = {tenant:UInt32} AND time >= lo AND time < hi)) AS usageEvents

