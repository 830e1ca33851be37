-- Where the first event of each asked identity stands. One row a (tenant, identity). No FINAL: an identity is written once, and twice at most with the same position by a consumer that was given up.
SELECT tenant, lower(hex(identity)) AS id, tupleElement(first, 1) AS `partition`, tupleElement(first, 2) AS offset, tupleElement(first, 3) AS position, lower(hex(tupleElement(first, 4))) AS hash
FROM (
  SELECT tenant, identity, argMin((`partition`, offset, position, content), (received, offset, position)) AS first
  FROM usage_identities
  WHERE (tenant, identity) IN (SELECT tenant, identity FROM keys)
  GROUP BY tenant, identity
)
