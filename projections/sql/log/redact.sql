-- name: allow
-- Let this transaction change events.
select set_config('acta.redacting', 'on', true);

-- name: unsealed
-- Whether an item has events that are not sealed yet: those have no digest to keep.
select exists (
    select from acta.events event
    where event.collection = %(collection)s and event.item = %(item)s
      and event.topic like 'item.%%'
      and not exists (select from acta.seals seal where seal.members @> event.seq)
);

-- name: archived
-- Whether events of an item lie in an archive: in its place stands at least the last one.
select exists (
    select from acta.archives archive
    join acta.events event on event.seq between archive.first_seq and archive.last_seq
    where archive.state = 'archived' and event.collection = %(collection)s and event.item = %(item)s
);

-- name: erase
-- Take values out of all events of an item, and put what is shown in their place, where there is such. Gives, for each event
-- that held any, the digests before and after.
with held as materialized (
    select event.seq, {payload} as payload_before, {meta} as meta_before, event.payload - %(fields)s::text[] || coalesce((
        select jsonb_object_agg(
            shown.key, case event.payload -> shown.key when 'null' then 'null' else shown.value end
        )
        from jsonb_each(%(shown)s::jsonb) shown where event.payload ? shown.key
    ), '{{}}') as left_over
    from acta.events event
    where event.collection = %(collection)s and event.item = %(item)s
      and event.topic like 'item.%%'
      and exists (select from acta.seals seal where seal.members @> event.seq)
      and (event.payload ?| %(fields)s::text[] or event.meta -> 'submitted' ?| %(fields)s::text[])
    for no key update
), erased as (
    update acta.events event
    set payload = held.left_over,
        meta = case when event.meta -> 'submitted' is null then event.meta
            else jsonb_set(event.meta, '{{submitted}}', (event.meta -> 'submitted') - %(fields)s::text[]) end
    from held
    where event.seq = held.seq
      and (event.payload is distinct from held.left_over or event.meta -> 'submitted' ?| %(fields)s::text[])
    returning event.*, held.payload_before, held.meta_before
)
select seq, payload_before, {payload} as payload_after, meta_before, {meta} as meta_after
from erased event
order by seq;

-- name: forget
-- Snapshots are derived: without them states are folded from what is left.
delete from acta.snapshots where collection = %(collection)s and item = %(item)s;
