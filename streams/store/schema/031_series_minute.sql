-- Minute roll-up of samples, as series_hour.
CREATE TABLE series_minute (
  tenant UInt32, series UInt64, bucket DateTime('UTC') CODEC(Delta(4), ZSTD(1)), count UInt32 CODEC(ZSTD(1)), sum Float64 CODEC(ZSTD(1)), min Float64 CODEC(ZSTD(1)), max Float64 CODEC(ZSTD(1)),
  first Float64 CODEC(ZSTD(1)), last Float64 CODEC(ZSTD(1)), increase Float64 CODEC(ZSTD(1)), version UInt64 CODEC(ZSTD(1)),
  first_start DateTime64(3, 'UTC') COMMENT 'OTLP start time of the first point, epoch 0 when unknown' CODEC(ZSTD(1)), last_time DateTime64(3, 'UTC') COMMENT 'of the last point' CODEC(Delta(8), ZSTD(1))
) ENGINE = ReplacingMergeTree(version) PARTITION BY toDate(bucket) ORDER BY (bitShiftRight(series, 48), tenant, series, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
