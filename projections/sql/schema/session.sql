-- name: take_turn
-- Schema commands run one after another, also those of other processes.
SELECT pg_advisory_xact_lock(%(key)s);

-- name: settle
-- How long a step of this transaction may wait for a table that others use; texts are read as the catalog writes them.
SELECT set_config('lock_timeout', %(milliseconds)s, true), set_config('standard_conforming_strings', 'on', true);

-- name: try_building
-- Whether nobody else makes an index without blocking writers; from now on we do.
SELECT pg_try_advisory_lock(%(key)s);

-- name: end_building
-- Others may.
SELECT pg_advisory_unlock(%(key)s);

-- name: invalid_index
-- An index that is of no use, since its making failed.
SELECT FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s AND NOT i.indisvalid;
