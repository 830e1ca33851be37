-- Purpose: points that a SELECT counts, over all tenants; FINAL, so that nothing counts twice.
SELECT count() AS rows FROM samples FINAL
