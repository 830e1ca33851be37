-- Usage events that stand under the asked identities, whatever their time. One row an event; FINAL: an event is one row whatever was re-delivered.
SELECT tenant, source, id, type, subject, toUnixTimestamp64Milli(time) AS ms, toString(value) AS value, toJSONString(attributes) AS attributes, `partition`, offset
FROM usage_events FINAL
WHERE tenant IN (SELECT tenant FROM keys) AND (tenant, source, id) IN (SELECT tenant, source, id FROM keys)
