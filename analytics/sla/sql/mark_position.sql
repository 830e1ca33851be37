-- Purpose: remembers a log position below which nothing is left to do. Row grain: log partition.
INSERT INTO sla_positions (partition, next) SELECT {partition:UInt16}, {next:UInt64}
