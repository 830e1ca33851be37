-- Purpose: how many damaged parts were set aside.
SELECT count() AS parts FROM system.detached_parts WHERE database = currentDatabase()
