-- Whether a batch's hand-overs were written: one row when they were.
SELECT 1 AS written FROM touched WHERE token = {token:String} LIMIT 1
