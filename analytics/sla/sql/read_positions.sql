-- Purpose: up to where the service level job once had nothing left to do. Row grain: log partition. max() instead of FINAL: positions only grow.
SELECT `partition` AS partition, max(next) AS reached FROM sla_positions GROUP BY partition
