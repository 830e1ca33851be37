-- Purpose: folders of a table's parts, those that have been merged into others included.
SELECT path FROM system.parts WHERE database = currentDatabase() AND table = {table:String} ORDER BY name
