-- One row a point of a gauge or sum. Identity: (tenant, series, millisecond); what came on time wins over what came late, otherwise the last insert wins.
CREATE TABLE samples (
  tenant UInt32 CODEC(ZSTD(1)),
  series UInt64 COMMENT 'hash16(metric) << 48 | hash48(identity), see series' CODEC(ZSTD(1)),
  time DateTime64(3, 'UTC') CODEC(Delta(8), T64, ZSTD(1)),
  value Float64 CODEC(Delta(8), ZSTD(1)),
  start DateTime64(3, 'UTC') COMMENT 'OTLP start time, epoch 0 when unknown' CODEC(Delta(8), T64, ZSTD(1)),
  received DateTime('UTC') CODEC(ZSTD(1)),
  flags UInt8 COMMENT '1 no recorded value, 2 inexact integer above 2^53, 4 late' CODEC(ZSTD(1)),
  retention_days UInt16 CODEC(ZSTD(1)),
  on_time UInt8 MATERIALIZED bitAnd(flags, 4) = 0 COMMENT 'a late copy may not take a point out of the bill' CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(on_time)
PARTITION BY toDate(time)
ORDER BY (tenant, toStartOfHour(time), series, time)
TTL toDate32(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
