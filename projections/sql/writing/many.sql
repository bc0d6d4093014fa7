-- name: create
-- New rows from a JSON array for each column: key and the row as JSON, in the order of the arrays.
WITH "acta row" AS (
    INSERT INTO {table} AS t0 {columns}
    SELECT {values} FROM ROWS FROM ({lists}) AS v ({names})
    RETURNING {key} AS item, to_jsonb(t0.*) AS payload, {jump} AS jump
)

-- name: created_with_one_meta
-- After the above: the events of the new rows, all with the same meta. Answers the keys as one array.
, "acta event" AS (
    INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
    SELECT {topic}, {collection}, item, %s::uuid, %s::uuid, %s::int, payload, %s::jsonb FROM "acta row"
)
SELECT json_agg(item), {after} FROM "acta row";

-- name: created_with_metas
-- The same, each with its own meta out of a JSON array.
, "acta event" AS (
    INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
    SELECT {topic}, {collection}, item, %s::uuid, %s::uuid, %s::int, payload, m.meta
    FROM (SELECT row_number() OVER () AS n, * FROM "acta row") AS r
    JOIN jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS m (meta, n) USING (n) ORDER BY n
)
SELECT json_agg(item), {after} FROM "acta row";

-- name: created_without_events
-- The new rows for events that are written later in the same transaction.
SELECT row_number() OVER (), item, payload::text, {after} FROM "acta row";

-- name: update
-- Changed rows from one JSON array with keys. Rows are locked in key order, so that concurrent batches don't deadlock.
WITH "acta given" AS (
    SELECT * FROM json_to_recordset(%s::json) AS v ({recordset})
), "acta old" AS (
    SELECT v.*, CAST(t0.* AS {table}) AS row_old FROM {table} AS t0 JOIN "acta given" AS v ON {found} ORDER BY {order} FOR NO KEY UPDATE OF t0
), "acta row" AS (
    UPDATE {table} AS t0 SET {changes} FROM "acta old" AS v WHERE {same}
    RETURNING v.n, v.fields, v.row_old, CAST(t0.* AS {table}) AS row_new
), "acta numbered" AS (
    SELECT n, {key} AS item, {payload} AS payload FROM "acta row"
)

-- name: touch
-- Rows that are updated in nothing: locked, for the events of empty payloads.
WITH "acta given" AS (
    SELECT * FROM json_to_recordset(%s::json) AS v ({recordset})
), "acta row" AS (
    SELECT v.n, CAST(t0.* AS {table}) AS row_new FROM {table} AS t0 JOIN "acta given" AS v ON {found} ORDER BY {order} FOR NO KEY UPDATE OF t0
), "acta numbered" AS (
    SELECT n, {key} AS item, '{{}}'::jsonb AS payload FROM "acta row"
)

-- name: delete
-- Rows less, by the keys in one JSON array; locked in key order first.
WITH "acta given" AS (
    SELECT * FROM json_to_recordset(%s::json) AS v ({recordset})
), "acta old" AS (
    SELECT v.n, CAST(t0.* AS {table}) AS row_old FROM {table} AS t0 JOIN "acta given" AS v ON {found} ORDER BY {order} FOR UPDATE OF t0
), "acta row" AS (
    DELETE FROM {table} AS t0 USING "acta old" AS v WHERE {same} RETURNING v.n, CAST(t0.* AS {table}) AS row_new
), "acta numbered" AS (
    SELECT n, {key} AS item, NULL::jsonb AS payload FROM "acta row"
)

-- name: with_one_meta
-- After one of the above: the events of its rows, all with the same meta.
, "acta event" AS (
    INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
    SELECT {topic}, {collection}, item, %s::uuid, %s::uuid, %s::int, payload, %s::jsonb
    FROM "acta numbered" ORDER BY n
)
SELECT n, item, {after} FROM "acta numbered" ORDER BY n;

-- name: with_metas
-- After one of the above: the events of its rows, each with its own meta out of a JSON array.
, "acta event" AS (
    INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
    SELECT {topic}, {collection}, item, %s::uuid, %s::uuid, %s::int, payload, m.meta
    FROM "acta numbered" JOIN jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS m (meta, n) USING (n) ORDER BY n
)
SELECT n, item, {after} FROM "acta numbered" ORDER BY n;

-- name: without_events
-- After one of the above: the rows for events that are written later in the same transaction.
SELECT n, item, payload::text, {after} FROM "acta numbered" ORDER BY n;
