-- name: between
-- The items that anything happened to between two cuts.
create temporary table "acta touched" on commit drop as
select distinct e.collection, e.item
from (
    select collection, item, topic from acta.events
    where seq > {from_upto} and seq <= {upto} and not {later}::int8multirange @> seq
    union all
    select event.collection, event.item, event.topic
    from unnest({from_later}::int8multirange) as piece
    join acta.events as event on event.seq >= lower(piece) and event.seq < upper(piece)
    where not {later}::int8multirange @> event.seq
) as e
where e.topic like 'item.%' and ({collection}::text is null or e.collection = {collection});

-- name: collections
-- The collections of those items.
select distinct collection from "acta touched" order by collection;

-- name: compare
-- The states of those items at both cuts, where they differ.
create temporary table "acta compared" on commit drop as
with earlier as materialized ({earlier}), later as materialized ({later})
select coalesce(earlier.item, later.item) as item, earlier.state as before, later.state as after
from earlier full join later on later.item = earlier.item
where earlier.state is distinct from later.state;

-- name: counts
-- How many items were added, changed and removed.
select count(*) filter (where before is null), count(*) filter (where before is not null and after is not null),
       count(*) filter (where after is null)
from "acta compared";

-- name: items
-- Some of the items, in the order of their keys, with the values that differ; secrets are masked.
select c.item, case when c.before is null then 'added' when c.after is null then 'removed' else 'changed' end,
       (
           select jsonb_object_agg(f.name, case
               when (shape.columns -> f.name ->> 'masked')::boolean then
                   jsonb_build_object('from', case when c.before ->> f.name is null then null else '**********' end,
                                      'to', case when c.after ->> f.name is null then null else '**********' end)
               else jsonb_build_object('from', c.before -> f.name, 'to', c.after -> f.name) end)
           from (
               select jsonb_object_keys(coalesce(c.before, '{}') || coalesce(c.after, '{}')) as name
           ) as f
           where coalesce(c.before -> f.name, 'null') is distinct from coalesce(c.after -> f.name, 'null')
       )
from (select * from "acta compared" order by item limit %(limit)s offset %(offset)s) as c
cross join (select acta.history_shape_v1(%(collection)s) as columns offset 0) as shape
order by c.item;

-- name: done
-- The next collection needs the name.
drop table "acta compared";

-- name: blame
-- For each field of an item: the event that gave it its present value.
with told as (
    select e.seq, e.at, e.actor, e.request, e.topic, f.key as field, f.value,
           lag(f.value) over (partition by f.key order by e.seq) as previous
    from acta.events as e cross join lateral jsonb_each(e.payload) as f
    where e.collection = %(collection)s and e.item = %(item)s and e.topic like 'item.%%' and e.payload is not null
      and e.seq > coalesce((
          select max(d.seq) from acta.events as d
          where d.collection = %(collection)s and d.item = %(item)s and d.topic like 'item.%%' and d.payload is null
      ), 0)
)
select distinct on (t.field) t.field, t.seq, t.at, t.actor, t.request, t.topic
from told as t where t.previous is distinct from t.value
order by t.field, t.seq desc;
