-- name: activity
-- The rows of activity that events are, as they are answered.
select a.id, to_jsonb(a) || jsonb_build_object('timestamp', acta.wire_value_v1(to_jsonb(a.timestamp), 'timestamptz'))
from acta.directus_activity as a where a.id = any(%(seqs)s::bigint[]);

-- name: revisions
-- The rows of revisions that events are.
select r.id, to_jsonb(r) from acta.directus_revisions as r where r.id = any(%(seqs)s::bigint[]);
