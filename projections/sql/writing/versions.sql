-- name: lock
-- The row whose version is asked for, so that it stays the last one until the command ends.
SELECT {key} FROM {table} AS t0 JOIN json_to_recordset(%s::json) AS v ({recordset}) ON {found} FOR UPDATE OF t0;

-- name: current
-- The number of an item's last event: its version.
SELECT max(seq)::text FROM acta.events WHERE collection = %s AND item = %s;

-- name: changed_since
-- What has been written to an item after one of its versions.
SELECT DISTINCT member FROM acta.events, jsonb_object_keys(payload) AS member
WHERE collection = %s AND item = %s AND seq > %s::bigint AND jsonb_typeof(payload) = 'object'
ORDER BY member;
