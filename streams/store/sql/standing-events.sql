-- Usage events that stand under the asked identities, whatever their time. One row an event and part: repeats of an event say the same, so no FINAL, and the reading streams.
SELECT tenant, source, id, type, subject, toUnixTimestamp64Milli(time) AS ms, toString(value) AS value, toJSONString(attributes) AS attributes, `partition`, offset
FROM usage_events
WHERE tenant IN (SELECT tenant FROM keys) AND (tenant, source, id) IN (SELECT tenant, source, id FROM keys)
