-- name: lock
-- The version of the row that is to be written, which stays the last one until the command ends.
SELECT t0.xmin::text
FROM {table} AS t0 JOIN json_to_recordset(%s::json) AS v ({recordset}) ON {found} FOR UPDATE OF t0;

-- name: changed_since
-- What has been written to an item after one of its versions: after the events of the transaction that made the
-- version, or after its time where the log has none. A version is 32 bits of a transaction's number, the nearest
-- below the present one. What stands for an archive may have changed everything.
WITH present AS (
    SELECT pg_current_xact_id()::text::numeric AS id
), version AS (
    SELECT p.id - (p.id - $3::bigint + 4294967296) % 4294967296 AS id FROM present AS p
), history AS (
    SELECT e.seq, e.topic <> 'item.adopted' OR coalesce(e.meta ? 'archived', false) AS changes, e.payload,
           e.xid::text::numeric AS id
    FROM acta.events AS e
    WHERE e.collection = $1 AND e.item = $2
), known AS (
    SELECT max(h.seq) AS seq FROM history AS h, version AS v WHERE h.id = v.id
)
SELECT DISTINCT member
FROM history AS h CROSS JOIN known AS k CROSS JOIN version AS v, jsonb_object_keys(h.payload) AS member
WHERE jsonb_typeof(h.payload) = 'object' AND h.changes
  AND CASE WHEN k.seq IS NULL THEN h.id > v.id ELSE h.seq > k.seq END
ORDER BY member;
