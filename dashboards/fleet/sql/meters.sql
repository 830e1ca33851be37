-- Purpose: the meters that have facts, for the choice. Row grain: a meter.
SELECT DISTINCT meter FROM billing_facts WHERE bucket >= now() - INTERVAL 40 DAY ORDER BY meter
