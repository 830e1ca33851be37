-- Hour roll-up of samples, by job from FINAL rows of touched hours; the highest version counts.
CREATE TABLE series_hour (
  tenant UInt32, series UInt64, bucket DateTime('UTC'), count UInt32 COMMENT 'points with a finite value', sum Float64, min Float64, max Float64, first Float64, last Float64,
  first_time DateTime64(3, 'UTC'), first_start DateTime64(3, 'UTC') COMMENT 'OTLP start time of the first point: a reset on the edge that the values do not show',
  last_time DateTime64(3, 'UTC'), increase Float64 COMMENT 'counters: growth inside the bucket by counter_steps, without the first point; delta sums: the sum', resets UInt16 COMMENT 'counters only',
  version UInt64 COMMENT 'log offset of the tenant''s partition up to which the row has read',
  last_start DateTime64(3, 'UTC') COMMENT 'OTLP start time of the last point, epoch 0 when unknown',
  unknown_starts UInt16 COMMENT 'counters: runs after the first point whose growth before them is unknown; for the first point see first_start',
  gaps UInt16 COMMENT 'silences of more than 5 minutes between points of the bucket', gap_seconds UInt32,
  overlaps UInt16 COMMENT 'points of a second writer: not in increase (cumulative), flagged only (delta)', late UInt32 COMMENT 'points later than the tenant allows: in every column of this table, in no bill'
) ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(bucket) ORDER BY (bitShiftRight(series, 48), tenant, series, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
