-- name: take_turn
-- Schema commands run one after another, also those of other processes.
SELECT pg_advisory_xact_lock(%(key)s);

-- name: limit_waiting
-- How long a step of this transaction may wait for a table that others use.
SELECT set_config('lock_timeout', %(milliseconds)s, true);
