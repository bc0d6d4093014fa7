-- Content versions: changes to an item that wait to be promoted.

-- name: hold_places
-- Whoever makes a version of one of these keys waits for us. However many they are, they share 256 locks.
select pg_advisory_xact_lock(%(class)s, bucket)
from (select distinct hashtext(place) & 255 as bucket from unnest(%(places)s::text[]) as place order by bucket) as held;

-- name: holders
-- The versions of some keys of items.
select v.collection, v.item, v.key, v.id::text
from unnest(%(collections)s::text[], %(items)s::text[], %(keys)s::text[]) as w (collection, item, key)
join acta.directus_versions as v using (collection, item, key);

-- name: of_keys
-- What versions belong to.
select v.id::text, v.collection, v.item from acta.directus_versions as v where v.id::text = any(%(keys)s);

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
