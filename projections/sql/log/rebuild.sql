-- name: fold
-- The rows that the log tells of, in a fresh table: for each item that is not deleted, its payloads merged in order, under them
-- the values that columns added later gave to rows that were there.
CREATE TEMPORARY TABLE "acta rebuilt" ON COMMIT DROP AS
WITH filled AS MATERIALIZED (
    SELECT coalesce(jsonb_object_agg(last.item, last.value), '{{}}') AS state
    FROM (
        SELECT DISTINCT ON (e.item) e.item, e.payload -> 'filled' AS value
        FROM acta.events AS e
        WHERE e.collection = %(collection)s AND e.topic = 'field.created'
        ORDER BY e.item, e.seq DESC
    ) AS last
    WHERE last.value IS NOT NULL
), folded AS MATERIALIZED (
    SELECT e.item, acta.fold(e.payload ORDER BY e.seq) AS state
    FROM acta.events AS e
    WHERE e.collection = %(collection)s
      AND e.topic IN ('item.created', 'item.updated', 'item.deleted', 'item.adopted', 'item.observed')
      AND e.seq > coalesce((
          SELECT max(d.seq) FROM acta.events AS d
          WHERE d.collection = %(collection)s AND d.topic = 'collection.created'
      ), 0)
    GROUP BY e.item
    HAVING max(e.seq) IS DISTINCT FROM max(e.seq) FILTER (WHERE e.payload IS NULL OR e.topic = 'item.deleted')
)
SELECT folded.item, jsonb_populate_record(NULL::{table}, filled.state || folded.state) AS made
FROM folded
CROSS JOIN filled;

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
