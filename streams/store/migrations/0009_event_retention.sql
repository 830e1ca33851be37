-- Usage events go as the limits of their tenant said when they came. The time of receipt counts: what was backfilled from long ago is kept as long as anything else.
ALTER TABLE usage_events ADD COLUMN IF NOT EXISTS retention_days UInt16 DEFAULT 400;
ALTER TABLE usage_events MODIFY TTL toDate32(received) + toIntervalDay(retention_days) SETTINGS materialize_ttl_after_modify = 0;
ALTER TABLE usage_conflicts ADD COLUMN IF NOT EXISTS retention_days UInt16 DEFAULT 400;
ALTER TABLE usage_conflicts MODIFY TTL toDate32(received) + toIntervalDay(retention_days) SETTINGS materialize_ttl_after_modify = 0;
