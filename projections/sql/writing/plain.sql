-- name: draw
-- Values of defaults, drawn before the rows are written, where a statement can't return what it made.
SELECT {defaults} FROM generate_series(1, %s::int);

-- name: insert
-- New rows of a table whose rewrite rules allow neither RETURNING nor WITH.
INSERT INTO {table} AS t0 {columns} SELECT {values} FROM json_to_recordset(%s::json) AS v ({recordset});

-- name: inserted
-- Rows that this transaction wrote, by their keys: a rule may have put other keys in the place of those given.
SELECT v.n, {key}, to_jsonb(t0.*)::text
FROM {table} AS t0 JOIN json_to_recordset(%s::json) AS v ({recordset}) ON {found}
WHERE t0.xmin = pg_current_xact_id()::xid;

-- name: replaced
-- The row that a rule gave a new key from the sequence, which is above the value drawn just before.
SELECT 1, {key}, to_jsonb(t0.*)::text
FROM {table} AS t0
WHERE t0.{column} > %s::bigint AND t0.xmin = pg_current_xact_id()::xid
ORDER BY t0.{column} LIMIT 1;

-- name: update
-- Changed rows of such a table.
UPDATE {table} AS t0 SET {changes} FROM json_to_recordset(%s::json) AS v ({recordset}) WHERE {found};

-- name: delete
-- Rows less in such a table.
DELETE FROM {table} AS t0 USING json_to_recordset(%s::json) AS v ({recordset}) WHERE {found};
