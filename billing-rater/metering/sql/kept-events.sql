-- Purpose: the usage events that stand under the given identities. Row grain: event. FINAL: an event is one row whatever was re-delivered.
SELECT source, id, type, subject, formatDateTime(time, '%FT%T.%fZ', 'UTC') AS occurred_at, toString(value) AS value, toJSONString(attributes) AS attributes
FROM usage_events FINAL
WHERE tenant = {tenant:UInt32} AND (source, id) IN (SELECT k.1, k.2 FROM (SELECT arrayJoin(JSONExtract({identities:String}, 'Array(Tuple(String, String))')) AS k))
