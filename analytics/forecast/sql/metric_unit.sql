-- Purpose: the unit of a metric of a tenant. Row grain: at most one row; the alphabetically first unit when there are several. Any duplicate answers alike, so no FINAL.
SELECT unit FROM series WHERE tenant = {tenant:UInt32} AND metric = {metric:String} ORDER BY unit LIMIT 1
