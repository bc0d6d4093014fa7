-- name: before
-- The state of each item just before an event: what was left of it when it was deleted.
select
    wanted.item,
    case when whole.seq is null then coalesce(base.state, '{}') else '{}' end || (
        select acta.fold(event.payload order by event.seq)
        from acta.events event
        where event.collection = %(collection)s and event.item = wanted.item
          and event.seq >= coalesce(whole.seq, base.seq + 1, 0) and event.seq < wanted.seq
          and event.topic like 'item.%%'
    ) as state
from unnest(%(items)s::text[], %(seqs)s::bigint[]) wanted (item, seq)
left join lateral (
    select snapshot.seq, snapshot.state from acta.snapshots snapshot
    where snapshot.collection = %(collection)s and snapshot.item = wanted.item and snapshot.seq < wanted.seq
    order by snapshot.seq desc limit 1
) base on true
left join lateral (
    select max(event.seq) as seq from acta.events event
    where event.collection = %(collection)s and event.item = wanted.item
      and event.seq > coalesce(base.seq, 0) and event.seq < wanted.seq
      and (event.topic in ('item.created', 'item.adopted', 'item.deleted')
        or event.topic = 'item.observed' and event.payload is null)
) whole on true;
