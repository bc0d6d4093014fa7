-- name: create
-- One new row and its event in one statement; {values} is VALUES (...) or DEFAULT VALUES with the columns before it.
WITH "acta row" AS (
    INSERT INTO {table} AS t0 {values} RETURNING t0.*
), "acta event" AS (
    INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
    SELECT 'item.created', {collection}, {key}, %s::uuid, %s::uuid, %s::int, to_jsonb("acta row".*), %s::jsonb
    FROM "acta row"
)
SELECT {key}, {after}, {answer}, {version} FROM "acta row";

-- name: update
-- One changed row and its event; the payload holds the submitted columns as they are after the write.
WITH "acta row" AS (
    UPDATE {table} AS t0 SET {changes} WHERE {found} RETURNING t0.*
), "acta event" AS (
    INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
    SELECT 'item.updated', {collection}, {key}, %s::uuid, %s::uuid, %s::int, {payload}, %s::jsonb
    FROM "acta row"
)
SELECT {key}, {after}, {answer}, {version} FROM "acta row";

-- name: touch
-- An update that changes nothing: the event of an empty payload, when the row is there.
WITH "acta row" AS (
    SELECT t0.* FROM {table} AS t0 WHERE {found} FOR NO KEY UPDATE OF t0
), "acta event" AS (
    INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
    SELECT 'item.updated', {collection}, {key}, %s::uuid, %s::uuid, %s::int, '{{}}'::jsonb, %s::jsonb
    FROM "acta row"
)
SELECT {key}, {after}, {answer}, {version} FROM "acta row";

-- name: delete
-- One row less, and its event.
WITH "acta row" AS (
    DELETE FROM {table} AS t0 WHERE {found} RETURNING t0.*
), "acta event" AS (
    INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
    SELECT 'item.deleted', {collection}, {key}, %s::uuid, %s::uuid, %s::int, NULL, %s::jsonb
    FROM "acta row"
)
SELECT {key}, {after}, {answer}, {version} FROM "acta row";
