-- name: lock
-- Keep everybody out of a table that is about to change.
LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;

-- name: has_rows
-- Whether a table holds anything.
SELECT EXISTS (SELECT FROM {table});

-- name: any_value
-- The value of a column in any row.
SELECT to_jsonb("acta row".{column}) FROM {table} AS "acta row" LIMIT 1;

-- name: tell
-- Append what a table holds and the log does not: rows it never heard of, columns that differ, rows that are gone. {part} is the row as far as it is compared, `empty` the same with nulls.
WITH live AS (
    SELECT {key} AS item, to_jsonb("acta row".*) AS whole, {part} AS state FROM {table} AS "acta row"
), told AS (
    SELECT s.item, %(empty)s::jsonb || s.state AS state FROM acta.item_states_v1(%(collection)s, 9223372036854775807) AS s
)
INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
SELECT CASE WHEN told.item IS NULL THEN 'item.adopted' WHEN live.item IS NULL THEN 'item.deleted' ELSE %(topic)s END,
       %(collection)s, coalesce(live.item, told.item), %(actor)s, %(request)s, %(context)s,
       CASE WHEN told.item IS NULL THEN live.whole
            WHEN live.item IS NOT NULL THEN (
                SELECT jsonb_object_agg(c.key, c.value) FROM jsonb_each(live.state) AS c
                WHERE c.value IS DISTINCT FROM told.state -> c.key
            ) END,
       %(meta)s
FROM live FULL JOIN told ON told.item = live.item
WHERE told.item IS NULL OR live.item IS NULL OR told.state || live.state <> told.state;

-- name: had_field
-- Whether a collection had a field of this name before, whose values the log still tells.
SELECT EXISTS (
    SELECT FROM acta.events
    WHERE collection = %(collection)s AND item = %(field)s AND topic IN ('field.deleted', 'field.renamed')
);

-- name: tell_field
-- Append the value of a column in every row.
INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
SELECT 'item.updated', %(collection)s, {key}, %(actor)s, %(request)s, %(context)s,
       jsonb_build_object(%(field)s::text, "acta row".{column}), %(meta)s
FROM {table} AS "acta row";

-- name: tell_all
-- Append the state of every row.
INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
SELECT 'item.adopted', %(collection)s, {key}, %(actor)s, %(request)s, %(context)s, to_jsonb("acta row".*), %(meta)s FROM {table} AS "acta row";

-- name: refill_table
-- The rows of a table that was made again, as the log knew them.
INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {values} FROM acta.item_states_v1(%(collection)s, %(upto)s) AS s
CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, s.state) AS r;

-- name: refill_column
-- The values of a column that was made again, as the log knew them.
UPDATE {table} AS "acta row" SET {column} = r.{column}
FROM acta.item_states_v1(%(collection)s, %(upto)s) AS s
CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, jsonb_build_object(%(field)s::text, s.state -> %(field)s::text)) AS r
WHERE {key} = s.item AND s.state -> %(field)s::text <> 'null';

-- name: remember_converted
-- The values a column had before a conversion, of items whose value is still the one it made.
CREATE TEMPORARY TABLE acta_before ON COMMIT DROP AS
SELECT b.item, b.state -> {field} AS value
FROM acta.item_states_v1({collection}, {before}) AS b
JOIN acta.item_states_v1({collection}, {after}) AS a ON a.item = b.item
JOIN {table} AS "acta row" ON {key} = b.item
WHERE coalesce(a.state -> {field}, 'null') IS NOT DISTINCT FROM coalesce(to_jsonb("acta row".{column}), 'null')
  AND coalesce(a.state -> {field}, 'null') <> coalesce(b.state -> {field}, 'null');

-- name: refill_converted
-- Put the remembered values back.
UPDATE {table} AS "acta row" SET {column} = r.{column}
FROM acta_before AS b
CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, jsonb_build_object(%(field)s::text, b.value)) AS r
WHERE {key} = b.item;

-- name: forget_converted
-- The remembered values are of no more use.
DROP TABLE acta_before;
