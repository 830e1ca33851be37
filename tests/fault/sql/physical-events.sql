-- Purpose: rows of usage events as they lie on disk. No FINAL: rows that repeat an identity count here.
SELECT count() AS rows FROM usage_events
