-- name: lock
-- Rows about to be changed or deleted, locked so that no further row can come to refer to them.
SELECT v.n, {key}, {state}
FROM {table} AS t0 JOIN json_to_recordset(%s::json) AS v ({recordset}) ON {found}
ORDER BY {order} FOR UPDATE OF t0;

-- name: referring
-- The rows that refer to rows about to go, locked as well.
SELECT {key}, {state}
FROM {table} AS t0 JOIN json_to_recordset(%s::json) AS v ({recordset}) ON {found}
ORDER BY {order} FOR UPDATE OF t0;

-- name: compare
-- What has become of rows: the named columns, and every other column that differs from before.
SELECT v.n, {key}, coalesce((
    SELECT jsonb_object_agg(c.key, c.value) FROM jsonb_each(to_jsonb(t0.*)) AS c
    WHERE c.key = ANY (v.fields) OR c.value IS DISTINCT FROM v.old -> c.key
), '{{}}'::jsonb)::text
FROM {table} AS t0 JOIN json_to_recordset(%s::json) AS v (n int, fields text[], old jsonb, {recordset}) ON {found}
ORDER BY v.n;
