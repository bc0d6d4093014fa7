-- name: append
-- Events of one command from a JSON array, in its order.
INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
SELECT v.topic, v.collection, v.item, %(actor)s::uuid, %(request)s::uuid, %(context)s::int, v.payload, v.meta
FROM json_to_recordset(%(events)s::json) AS v (n int, topic text, collection text, item text, payload jsonb, meta jsonb)
ORDER BY v.n;
