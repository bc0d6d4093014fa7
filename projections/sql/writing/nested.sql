-- name: lookup
-- Which of the given keys are there, and what they point to; the rows are locked until the command ends.
SELECT v.n, {key}, {pointer}
FROM {table} AS t0 JOIN json_to_recordset(%s::json) AS v ({recordset}) ON {found}
ORDER BY {order} FOR NO KEY UPDATE OF t0;

-- name: left_out
-- The rows that point to the given parents and are not among those kept.
SELECT v.n, {key}
FROM {table} AS t0 JOIN json_to_recordset(%s::json) AS v (n int, parent text, kept text[]) ON t0.{pointer} = v.parent::{type}
WHERE NOT {key} = ANY (v.kept)
ORDER BY {order} FOR NO KEY UPDATE OF t0;

-- name: taken_out
-- Those of the given rows that point to the given parents.
SELECT v.n, {key}
FROM {table} AS t0 JOIN json_to_recordset(%s::json) AS v (n int, parent text, removed text[]) ON t0.{pointer} = v.parent::{type}
WHERE {key} = ANY (v.removed)
ORDER BY {order} FOR NO KEY UPDATE OF t0;

-- name: last_places
-- The highest value of the sort field among the rows of each given parent.
SELECT v.n, coalesce(max(t0.{sort}), 0)
FROM json_to_recordset(%s::json) AS v (n int, parent text) LEFT JOIN {table} AS t0 ON t0.{pointer} = v.parent::{type}
GROUP BY v.n;

-- name: column
-- Another column than the key of given rows, for foreign keys that refer to it.
SELECT v.n, t0.{column}::text
FROM {table} AS t0 JOIN json_to_recordset(%s::json) AS v ({recordset}) ON {found};
