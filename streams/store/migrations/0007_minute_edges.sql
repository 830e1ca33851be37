-- A restart of a counter exactly between two minutes that only its start time shows. Rows of before have the epoch: no restart is seen on their edges, as until now.
ALTER TABLE series_minute
  ADD COLUMN IF NOT EXISTS first_start DateTime64(3, 'UTC') COMMENT 'OTLP start time of the first point, epoch 0 when unknown' CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS last_time DateTime64(3, 'UTC') COMMENT 'of the last point' CODEC(Delta(8), ZSTD(1));
