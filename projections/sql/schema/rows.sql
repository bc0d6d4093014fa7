-- name: insert
-- One row of a metadata table and its event.
WITH written AS (
    INSERT INTO {table} ({columns})
    SELECT {columns} FROM jsonb_populate_record(NULL::{table}, %(values)s)
    RETURNING *
)
INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
SELECT 'item.created', %(collection)s, written.{key}::text, %(actor)s, %(request)s, %(context)s, to_jsonb(written), %(meta)s
FROM written
RETURNING item;

-- name: update
-- Some columns of the rows of a metadata table that meet a condition, and one event for each row.
WITH written AS (
    UPDATE {table} AS target SET ({columns}) = (SELECT {columns} FROM jsonb_populate_record(NULL::{table}, %(values)s))
    WHERE {condition}
    RETURNING target.*
)
INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
SELECT 'item.updated', %(collection)s, written.{key}::text, %(actor)s, %(request)s, %(context)s,
       (SELECT jsonb_object_agg(name, to_jsonb(written) -> name) FROM unnest(%(names)s::text[]) AS name), %(meta)s
FROM written
ORDER BY written.{key}
RETURNING item;

-- name: delete
-- The rows of a metadata table that meet a condition, and one event for each.
WITH gone AS (
    DELETE FROM {table} AS target WHERE {condition} RETURNING target.{key}
)
INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
SELECT 'item.deleted', %(collection)s, gone.{key}::text, %(actor)s, %(request)s, %(context)s, NULL, %(meta)s
FROM gone
ORDER BY gone.{key}
RETURNING item;

-- name: select
-- The rows of a metadata table that meet a condition, as objects.
SELECT to_jsonb(target) FROM {table} AS target WHERE {condition} ORDER BY target.{key};
