-- Identities stored under the asked (tenant, series) ids. One row a stored id; ids are unique within a tenant, FINAL only removes repeats of the same row.
SELECT tenant, series, hex(identity) AS identity
FROM series FINAL
WHERE tenant IN (SELECT tenant FROM keys) AND (tenant, series) IN (SELECT tenant, series FROM keys)
