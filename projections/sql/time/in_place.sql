-- name: schema_events
-- The events of the schema behind a cut, the last one first, in the form that undoing takes; last the event each took back.
select e.seq, e.topic, e.collection, e.item, e.payload, coalesce((e.meta -> 'silent')::boolean, false), null::jsonb,
       (e.meta ->> 'revert')::bigint
from acta.events as e
where (e.seq > %(upto)s or %(later)s::int8multirange @> e.seq)
  and e.topic in ('collection.created', 'collection.updated', 'collection.deleted', 'collection.renamed',
                  'field.created', 'field.updated', 'field.deleted', 'field.renamed',
                  'relation.created', 'relation.updated', 'relation.deleted')
  and not coalesce(e.meta ? 'renamed', false)
order by e.seq desc;

-- name: touched
-- The items that anything happened to behind a cut.
create temporary table "acta touched" on commit drop as
select distinct e.collection, e.item
from (
    select collection, item, topic from acta.events where seq > {upto}
    union all
    select event.collection, event.item, event.topic
    from unnest({later}::int8multirange) as piece
    join acta.events as event on event.seq >= lower(piece) and event.seq < upper(piece)
) as e
where e.topic like 'item.%' and ({collection}::text is null or e.collection = {collection})
  and ({item}::text is null or e.item = {item});

-- name: touched_collections
-- The collections of those items.
select collection, count(*) from "acta touched" group by collection;

-- name: young_fields
-- The fields of a collection that came behind a cut.
select coalesce(array_agg(distinct e.item), '{}') from acta.events as e
where e.collection = %(collection)s and e.topic = 'field.created'
  and (e.seq > %(upto)s or %(later)s::int8multirange @> e.seq);

-- name: touched_files
-- The files that anything happened to.
select item from "acta touched" where collection = %(collection)s;

-- name: lock
-- Keep writers off a table until the end, so that what is compared is what is changed.
lock table {table} in share row exclusive mode;

-- name: differing
-- The touched items that are not what they were at the cut: what they are and what they have to become, each null where
-- there is no such item.
create temporary table "acta differing" on commit drop as
with told as materialized ({fold}), live as materialized (
    select touched.item, "acta row" as found
    from "acta touched" as touched join {table} as "acta row" on {same}
    where touched.collection = %(collection)s
), sides as (
    select touched.item, to_jsonb(live.found) as now,
           case when told.item is not null then (
               select to_jsonb("acta row") from jsonb_populate_record(
                   null::{table},
                   told.state || coalesce((
                       select jsonb_object_agg(f.key, f.value) from jsonb_each(to_jsonb(live.found)) as f
                       where f.key = any(%(young)s)
                   ), '{{}}')
               ) as "acta row"
           ) end as target
    from "acta touched" as touched
    left join told on told.item = touched.item
    left join live on live.item = touched.item
    where touched.collection = %(collection)s
)
select item, now, target from sides where now is distinct from target;

-- name: outcome
-- How many items come back, change and go, and a sample: item, what becomes of it, the names of the fields that change.
select count(*) filter (where now is null), count(*) filter (where now is not null and target is not null),
       count(*) filter (where target is null),
       coalesce((
           select jsonb_agg(jsonb_build_array(
               s.item,
               case when s.now is null then 'create' when s.target is null then 'delete' else 'update' end,
               (select coalesce(jsonb_agg(t.key order by t.key), '[]') from jsonb_each(s.target) as t
                where s.now is not null and t.value is distinct from s.now -> t.key)
           ) order by s.item)
           from (select * from "acta differing" order by item limit %(sample)s) as s
       ), '[]')
from "acta differing";

-- name: remove
-- The rows that differ go; those that were there at the cut come again.
delete from {table} as "acta row" using "acta differing" as gone where gone.now is not null and {same_gone};

-- name: refill
-- The rows as they were at the cut.
insert into {table} ({columns}) overriding system value
select {values} from "acta differing" as d
cross join lateral jsonb_populate_record(null::{table}, d.target) as r
where d.target is not null;

-- name: tell
-- The events of it.
insert into acta.events (topic, collection, item, actor, request, context, payload, meta)
select case when d.now is null then 'item.created' when d.target is null then 'item.deleted' else 'item.updated' end,
       %(collection)s, d.item, %(actor)s, %(request)s, %(context)s,
       case when d.now is null then d.target
            when d.target is not null then (
                select jsonb_object_agg(t.key, t.value) from jsonb_each(d.target) as t
                where t.value is distinct from d.now -> t.key
            ) end,
       %(meta)s
from "acta differing" as d order by d.item;

-- name: done
-- The next collection needs the name.
drop table "acta differing";

-- name: forget_touched
-- Nothing further asks.
drop table "acta touched";

-- name: foreign_keys
-- The foreign keys of and to some tables, with the statements' parts that make them again.
select n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid)
from pg_catalog.pg_constraint as k
join pg_catalog.pg_class as c on c.oid = k.conrelid
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where k.contype = 'f' and k.conparentid = 0
  and (k.conrelid = any(%(tables)s::text[]::regclass[]::oid[]) or k.confrelid = any(%(tables)s::text[]::regclass[]::oid[]))
order by c.relname, k.conname;

-- name: triggers
-- The triggers of some tables that fire, and when they do.
select t.tgrelid::regclass::text, t.tgname, t.tgenabled::text
from pg_catalog.pg_trigger as t
where t.tgrelid = any(%(tables)s::text[]::regclass[]::oid[]) and not t.tgisinternal and t.tgparentid = 0
  and t.tgenabled <> 'D'
order by t.tgrelid, t.tgname;

-- name: immediate
-- What was put off is checked now: tables with pending checks can't be altered.
set constraints all immediate;

-- name: notify_rights
-- Users, roles and policies may be others now.
select pg_notify('acta_rights', '');
