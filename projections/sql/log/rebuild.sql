-- name: fold
-- The rows that the log tells of, in a fresh table. What dropped and renamed collections and fields mean for that is known to
-- acta.item_states_v1.
CREATE TEMPORARY TABLE "acta rebuilt" ON COMMIT DROP AS
SELECT folded.item, jsonb_populate_record(NULL::{table}, folded.state) AS made
FROM acta.item_states_v1(%(collection)s, 9223372036854775807) AS folded;

-- name: compare
-- Rebuilt and live rows side by side: how many live ones there are, how many differ, and a sample of those, each with the
-- names of the differing columns ('*' for a row that only one side has). The odd alias can't be the name of a column.
WITH live AS (
    SELECT {key} AS item, to_jsonb("acta row") AS state FROM {table} AS "acta row"
), rebuilt AS (
    SELECT item, to_jsonb(made) AS state FROM "acta rebuilt"
), different AS (
    SELECT coalesce(live.item, rebuilt.item) AS item,
           CASE WHEN live.item IS NULL OR rebuilt.item IS NULL THEN ARRAY['*'] ELSE ARRAY(
               SELECT l.key FROM jsonb_each(live.state) AS l
               WHERE l.value IS DISTINCT FROM rebuilt.state -> l.key ORDER BY l.key
           ) END AS columns
    FROM live
    FULL JOIN rebuilt ON rebuilt.item = live.item
    WHERE live.state IS DISTINCT FROM rebuilt.state
)
SELECT (SELECT count(*) FROM live),
       (SELECT count(*) FROM different),
       (SELECT coalesce(jsonb_agg(jsonb_build_array(s.item, s.columns)), '[]')
        FROM (SELECT * FROM different ORDER BY item LIMIT %(sample)s) AS s);
