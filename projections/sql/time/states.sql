-- name: fold
-- The items of a collection that were there at a cut, with their states. {scope} joins the events e to the items
-- asked for. A value that a field had before it was dropped is gone, unless the drop was undone; a field added with one
-- value for all items has it in those that were there.
with life as materialized (
    select coalesce(max(d.seq), 0) as begin
    from acta.events as d
    where acta.require_present_v1(%(upto)s, %(later)s::int8multirange)
      and d.collection = %(collection)s and d.topic in ('collection.deleted', 'collection.renamed')
      and d.seq <= %(upto)s and not %(later)s::int8multirange @> d.seq
      and not exists (
          select from acta.events as u
          where u.collection = d.collection and u.topic = 'collection.created' and u.seq > d.seq and u.seq <= %(upto)s
            and u.meta ->> 'revert' = d.seq::text
      )
), fields as materialized (
    select f.seq, f.topic, f.item as field, f.payload -> 'filled' as filled
    from acta.events as f
    where f.collection = %(collection)s and f.topic in ('field.created', 'field.deleted', 'field.renamed')
      and f.seq > (select begin from life) and f.seq <= %(upto)s and not %(later)s::int8multirange @> f.seq
      and not exists (
          select from acta.events as u
          where u.collection = f.collection and u.topic = 'field.created' and u.item = f.item and u.seq > f.seq
            and u.seq <= %(upto)s and u.meta ->> 'revert' = f.seq::text
      )
), told as (
    select e.item collate "C" as item, e.seq, false as filled,
           case when (select count(*) from fields as g where g.topic <> 'field.created') = 0 then e.payload
                else e.payload - coalesce((
                    select array_agg(g.field) from fields as g where g.topic <> 'field.created' and g.seq > e.seq
                ), '{{}}') end as payload
    from acta.events as e {scope}
    where e.collection = %(collection)s and e.seq > (select begin from life) and e.seq <= %(upto)s
      and not %(later)s::int8multirange @> e.seq
      and e.topic in ('item.created', 'item.updated', 'item.adopted', 'item.observed', 'item.deleted')
    union all
    select there.item collate "C", g.seq, true, jsonb_build_object(g.field, g.filled)
    from fields as g
    join (
        select e.item, min(e.seq) as seq from acta.events as e {scope}
        where e.collection = %(collection)s and e.seq > (select begin from life) and e.seq <= %(upto)s
          and not %(later)s::int8multirange @> e.seq
          and e.topic in ('item.created', 'item.adopted', 'item.observed')
          and exists (select from fields as any_filled where any_filled.filled <> 'null')
        group by e.item
    ) as there on there.seq < g.seq
    where g.topic = 'field.created' and g.filled <> 'null'
)
select t.item, acta.fold(t.payload order by t.seq) as state
from told as t
group by t.item
having max(t.seq) filter (where t.payload is not null and not t.filled)
       > coalesce(max(t.seq) filter (where t.payload is null), 0)
