-- name: reserve
-- Move a key's sequence beyond the highest explicit key of a batch, before keys are generated in the same batch.
SELECT setval(%(sequence)s::regclass, %(highest)s::bigint)
WHERE %(highest)s::bigint >= coalesce(pg_sequence_last_value(%(sequence)s::regclass), 1);

-- name: first
-- The row that stands for a singleton.
SELECT {key} FROM {table} AS t0 ORDER BY {order} LIMIT 1 FOR NO KEY UPDATE OF t0;
