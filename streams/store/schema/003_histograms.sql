-- One row a histogram point, buckets as they came (cumulative stays cumulative); bounds stand in series.
CREATE TABLE histograms (
  tenant UInt32 CODEC(ZSTD(1)), series UInt64 CODEC(ZSTD(1)),
  time DateTime64(3, 'UTC') CODEC(Delta(8), T64, ZSTD(1)), start DateTime64(3, 'UTC') CODEC(Delta(8), T64, ZSTD(1)),
  count UInt64 CODEC(ZSTD(1)), sum Float64 CODEC(ZSTD(1)), min Float32 COMMENT 'NaN when not sent' CODEC(ZSTD(1)), max Float32 COMMENT 'NaN when not sent' CODEC(ZSTD(1)),
  bucket_counts Array(UInt64) CODEC(ZSTD(1)),
  received DateTime('UTC') CODEC(ZSTD(1)), flags UInt8 CODEC(ZSTD(1)), retention_days UInt16 CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree PARTITION BY toDate(time) ORDER BY (tenant, toStartOfHour(time), series, time)
TTL toDate32(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
