-- name: command
-- The events about the model of the transaction that an event was part of, the last one first, with the state that metadata rows had before each.
WITH asked AS (
    SELECT xid, request FROM acta.events WHERE seq = %(seq)s
)
SELECT e.seq, e.topic, e.collection, e.item, e.payload, coalesce((e.meta -> 'silent')::boolean, false),
       CASE WHEN e.topic IN ('item.updated', 'item.deleted') THEN acta.item_state_v1(e.collection, e.item, e.seq - 1) END
FROM asked
JOIN acta.events AS e ON e.xid = asked.xid AND e.request IS NOT DISTINCT FROM asked.request
WHERE (e.topic ~ '^(collection|field|relation)\.' AND NOT coalesce(e.meta ? 'renamed', false))
   OR (e.collection IN ('directus_collections', 'directus_fields', 'directus_relations', 'directus_permissions',
                        'directus_presets', 'directus_shares', 'directus_versions', 'directus_comments',
                        'directus_notifications')
       AND e.topic IN ('item.created', 'item.updated', 'item.deleted'))
ORDER BY e.seq DESC;

-- name: conversion
-- The seq before the values that a conversion made of a field, and that of the last of them.
SELECT min(e.seq) - 1, max(e.seq) FROM acta.events AS asked
JOIN acta.events AS e ON e.xid = asked.xid AND e.request IS NOT DISTINCT FROM asked.request
WHERE asked.seq = %(seq)s AND e.collection = asked.collection AND e.topic = 'item.updated'
  AND e.meta ->> 'cause' = 'schema' AND e.payload ? %(field)s;

-- name: used_again
-- Whether a collection of the name was dropped once more after an event.
SELECT EXISTS (
    SELECT FROM acta.events
    WHERE collection = %(collection)s AND topic IN ('collection.deleted', 'collection.created') AND seq > %(seq)s
);
