-- name: take_turn
-- Schema commands run one after another, also those of other processes.
SELECT pg_advisory_xact_lock(%(key)s);

-- name: settle
-- How long a step of this transaction may wait for a table that others use; texts are read as the catalog writes them.
SELECT set_config('lock_timeout', %(milliseconds)s, true), set_config('standard_conforming_strings', 'on', true);
