-- name: take
-- For the items changed at the positions after one: a snapshot at each hundredth event since the last one. A
-- state begins with the last event that told of the whole item, or with the last snapshot if that is later.
-- Counting an item's events costs more than anything else here, so of items that changed once, only each eighth by
-- chance is looked at: theirs may come some events late.
with ranges as materialized ({ranges}), touched as materialized (
    select event.collection, event.item, max(event.seq) as last
    from {events} event
    where event.topic in ('item.updated', 'item.observed')
    group by event.collection, event.item
    having count(*) > 1 or bool_or(hashint8(event.seq) & 7 = 0)
), due as materialized (
    select touched.*, base.seq as base
    from touched
    cross join lateral (
        select coalesce(max(seq), 0) as seq from acta.snapshots
        where collection = touched.collection and item = touched.item
    ) base
    where exists (
        select from acta.events event
        where event.collection = touched.collection and event.item = touched.item
          and event.seq > base.seq and event.seq <= touched.last
        order by event.seq offset %(every)s - 1 limit 1
    )
), points as materialized (
    select due.collection, due.item, due.base, numbered.seq
    from due
    cross join lateral (
        select seq, row_number() over (order by seq) as number
        from acta.events event
        where event.collection = due.collection and event.item = due.item
          and event.seq > due.base and event.seq <= due.last
          and event.topic like 'item.%%'
    ) numbered
    where numbered.number %% %(every)s = 0
), states as (
    select point.collection, point.item, point.seq,
        case when whole.seq is null then coalesce(base.state, '{{}}') else '{{}}' end || (
            select acta.fold(event.payload order by event.seq)
            from acta.events event
            where event.collection = point.collection and event.item = point.item
              and event.seq >= coalesce(whole.seq, point.base + 1) and event.seq <= point.seq
              and event.topic like 'item.%%'
        ) as state
    from points point
    left join lateral (
        select max(event.seq) as seq from acta.events event
        where event.collection = point.collection and event.item = point.item
          and event.seq > point.base and event.seq <= point.seq
          and event.topic like 'item.%%'
          and (event.payload is null or event.topic in ('item.created', 'item.adopted'))
    ) whole on true
    left join acta.snapshots base
        on base.collection = point.collection and base.item = point.item and base.seq = point.base
)
insert into acta.snapshots (collection, item, seq, state)
select collection, item, seq, state from states where state <> '{{}}'
on conflict do nothing;
