-- name: draw
-- Values of defaults, drawn before the rows are written, where a statement can't return what it made.
SELECT {defaults} FROM generate_series(1, %s::int);

-- name: insert
-- New rows of a table whose rewrite rules allow neither RETURNING nor WITH.
INSERT INTO {table} AS t0 ({columns}) SELECT {values} FROM json_to_recordset(%s::json) AS v ({recordset});

-- name: update
-- Changed rows of such a table.
UPDATE {table} AS t0 SET {changes} FROM json_to_recordset(%s::json) AS v ({recordset}) WHERE {found};

-- name: delete
-- Rows less in such a table.
DELETE FROM {table} AS t0 USING json_to_recordset(%s::json) AS v ({recordset}) WHERE {found};
