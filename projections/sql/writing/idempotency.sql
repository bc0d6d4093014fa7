-- name: claim
-- Take a key for this request: new keys, those older than a day, and those whose request died without an event.
INSERT INTO acta.idempotency AS i (actor, key, fingerprint, request)
VALUES (%(actor)s, %(key)s, %(fingerprint)s, %(request)s::uuid)
ON CONFLICT (actor, key) DO UPDATE
SET fingerprint = excluded.fingerprint, request = excluded.request, at = now(), status = NULL, body = NULL
WHERE i.at < now() - interval '24 hours'
   OR (
       i.status IS NULL AND i.at < now() - %(patience)s::float * interval '1 second'
       AND i.fingerprint = excluded.fingerprint
       AND NOT EXISTS (SELECT FROM acta.events AS e WHERE e.at >= i.at AND e.request = i.request)
   )
RETURNING request::text;

-- name: found
-- What is known of a key.
SELECT fingerprint, status, body FROM acta.idempotency WHERE actor = %(actor)s AND key = %(key)s;

-- name: settle
-- Keep the answer of the request that holds the key.
UPDATE acta.idempotency SET status = %(status)s, body = %(body)s
WHERE actor = %(actor)s AND key = %(key)s AND request = %(request)s::uuid;

-- name: release
-- Give a key back whose request was refused: sent again, it may succeed.
DELETE FROM acta.idempotency
WHERE actor = %(actor)s AND key = %(key)s AND request = %(request)s::uuid AND status IS NULL;

-- name: forget
-- Drop what is older than a day.
DELETE FROM acta.idempotency WHERE at < now() - interval '24 hours';
