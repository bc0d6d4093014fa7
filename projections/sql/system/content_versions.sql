-- Content versions: changes to an item that wait to be promoted.

-- name: hold_key
-- Whoever makes a version of this key waits for us.
select pg_advisory_xact_lock(hashtextextended(%(place)s, 0));

-- name: taken
-- Whether the item has a version of this key already, or gets one by another row of the same command.
select exists (
    select from acta.directus_versions as v
    where v.key = %(key)s and v.collection = %(collection)s and v.item = %(item)s and not v.id::text = any(%(keys)s)
) or coalesce(nullif(current_setting('acta.new_versions', true), ''), '[]')::jsonb ? %(place)s;

-- name: note_key
-- Remember, until the transaction ends, that it makes a version of this key.
select set_config('acta.new_versions', (
    coalesce(nullif(current_setting('acta.new_versions', true), ''), '[]')::jsonb || to_jsonb(%(place)s::text)
)::text, true);

-- name: of_keys
-- What the versions of some keys belong to.
select v.collection, v.item from acta.directus_versions as v where v.id::text = any(%(keys)s);

-- name: hold
-- The version, locked; with the changes as they are.
select v.delta from acta.directus_versions as v where v.id = %(id)s for update;

-- name: save
-- Put changes into a version. The row's own event is silent: activity shows that of the item.
with written as (
    update acta.directus_versions as v
    set delta = %(delta)s, date_updated = now(), user_updated = %(actor)s
    where v.id = %(id)s
    returning v.*
), told as (
    insert into acta.events (topic, collection, item, actor, request, context, payload, meta)
    select 'item.updated', 'directus_versions', w.id::text, %(actor)s, %(request)s, %(context)s,
           jsonb_build_object('delta', w.delta, 'date_updated', w.date_updated, 'user_updated', w.user_updated),
           '{"silent": true}'
    from written as w
)
insert into acta.events (topic, collection, item, actor, request, context, payload, meta)
select 'version.saved', w.collection, w.item, %(actor)s, %(request)s, %(context)s, %(changes)s,
       jsonb_build_object('version', w.id)
from written as w;

-- name: created
-- The items that a command created, as far as the open transaction knows.
select e.collection, e.item from acta.events as e
where e.request = %(request)s and e.topic = 'item.created' and e.xid = pg_current_xact_id();
