-- name: claim
-- Take a key for the transaction that writes: no row when it is taken, or another transaction is about to take it.
WITH free AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(hashtextextended(%(actor)s || ' ' || %(key)s, 0x61637461)) AS mine
)
INSERT INTO acta.idempotency AS i (actor, key, fingerprint)
SELECT %(actor)s, %(key)s, %(fingerprint)s FROM free WHERE mine
ON CONFLICT (actor, key) DO UPDATE
SET fingerprint = excluded.fingerprint, at = now(), items = NULL, status = NULL, body = NULL
WHERE i.at < now() - interval '24 hours'
RETURNING true;

-- name: wrote
-- Note which items were written, with the writing itself.
UPDATE acta.idempotency SET items = %(items)s WHERE actor = %(actor)s AND key = %(key)s;

-- name: found
-- What is known of a key.
SELECT fingerprint, items, status, body FROM acta.idempotency
WHERE actor = %(actor)s AND key = %(key)s AND at >= now() - interval '24 hours';

-- name: keep
-- Keep the first answer that was given.
UPDATE acta.idempotency SET status = %(status)s, body = %(body)s
WHERE actor = %(actor)s AND key = %(key)s AND status IS NULL;

-- name: forget
-- Drop what is older than a day.
DELETE FROM acta.idempotency WHERE at < now() - interval '24 hours';
