-- The ledger's hand-overs of the range. One row a (tenant, signal, hour). FINAL: a batch's row counts once. Sums are exact decimals of usage events.
SELECT tenant, signal, toUnixTimestamp(bucket) AS hour, sum(accepted) AS accepted, sum(logged) AS logged, sum(duplicates) AS duplicates,
  toString(sum(accepted_sum)) AS acceptedSum, toString(sum(logged_sum)) AS loggedSum, toString(sum(duplicate_sum)) AS duplicateSum, max(seq) AS newest
FROM touched FINAL
WHERE bucket >= toDateTime({fromHour:UInt32}, 'UTC') AND bucket < toDateTime({toHour:UInt32}, 'UTC') AND ({tenant:UInt32} = 0 OR tenant = {tenant:UInt32})
GROUP BY tenant, signal, bucket
