-- Hour roll-up of samples, by job from FINAL rows of touched hours; the highest version counts.
CREATE TABLE series_hour (
  tenant UInt32, series UInt64, bucket DateTime('UTC'), count UInt32 COMMENT 'points with a finite value', sum Float64, min Float64, max Float64, first Float64, last Float64,
  first_time DateTime64(3, 'UTC'), first_start DateTime64(3, 'UTC') COMMENT 'OTLP start time of the first point: a reset on the edge that the values do not show',
  last_time DateTime64(3, 'UTC'), increase Float64 COMMENT 'inside the bucket, resets counted from zero', resets UInt16,
  version UInt64 COMMENT 'log offset of the tenant''s partition up to which the row has read'
) ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(bucket) ORDER BY (bitShiftRight(series, 48), tenant, series, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
