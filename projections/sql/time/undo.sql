-- name: ask_request
-- The events of a request.
create temporary table "acta asked" on commit drop as
select seq, collection, item, topic, payload, actor, request from acta.events where request = {request};

-- name: ask_activity
-- The events of the command that an event was part of.
create temporary table "acta asked" on commit drop as
select e.seq, e.collection, e.item, e.topic, e.payload, e.actor, e.request
from acta.events as asked
join acta.events as e on e.xid = asked.xid and e.request is not distinct from asked.request
where asked.seq = {activity};

-- name: ask_user
-- The events of a user in a span of time, without sessions.
create temporary table "acta asked" on commit drop as
select seq, collection, item, topic, payload, actor, request from acta.events
where actor = {user} and at >= {since} and at < {until} and topic not like 'user.%';

-- name: asked
-- How many events there are, whether one is of the schema, whether all are of one actor; the first of the schema.
select count(*), coalesce(bool_and(actor is not distinct from %(actor)s), true),
       min(seq) filter (where topic ~ '^(collection|field|relation)\.'), min(seq)
from "acta asked";

-- name: plan
-- The items of the events, with their states before.
create temporary table "acta undoing" on commit drop as
select g.collection, g.item, g.first, g.gone, coalesce((
           select array_agg(distinct k.name)
           from "acta asked" as b cross join lateral jsonb_object_keys(coalesce(b.payload, '{}')) as k (name)
           where b.collection = g.collection and b.item = g.item and b.topic in ('item.updated', 'item.observed')
       ), '{}') as fields,
       case when (
           select e.payload is not null from acta.events as e
           where e.collection = g.collection and e.item = g.item and e.seq < g.first and e.topic like 'item.%'
           order by e.seq desc limit 1
       ) then acta.item_state_v1(g.collection, g.item, g.first - 1) end as before,
       null::jsonb as now, null::jsonb as target, null::text as reason, null::text[] as about
from (
    select a.collection, a.item, min(a.seq) as first,
           (array_agg(a.payload is null order by a.seq desc))[1] as gone
    from "acta asked" as a
    where a.topic like 'item.%'
    group by a.collection, a.item
) as g;

-- name: planned_collections
-- The collections of those items.
select distinct collection from "acta undoing" order by collection;

-- name: look
-- The rows as they are, locked.
update "acta undoing" as u set now = l.now
from (
    select p.item, to_jsonb("acta row") as now
    from "acta undoing" as p join {table} as "acta row" on {same}
    where p.collection = %(collection)s
    for update of "acta row"
) as l
where u.collection = %(collection)s and u.item = l.item;

-- name: aim
-- What each item has to become, and why it can't: it changed since, is gone or there again.
update "acta undoing" as u
set target = case
        when u.before is null then null
        when u.gone then u.before
        else u.now || coalesce((
            select jsonb_object_agg(f.name, coalesce(u.before -> f.name, 'null'))
            from unnest(u.fields) as f (name) where u.now ? f.name
        ), '{}') end,
    reason = case
        when u.before is null and u.now is null then null
        when u.before is null and exists (
            select from acta.events as e
            where e.collection = u.collection and e.item = u.item and e.seq > u.first and e.topic like 'item.%'
              and e.payload is distinct from '{}' and not exists (select from "acta asked" as a where a.seq = e.seq)
        ) then 'changed'
        when u.before is not null and u.gone and u.now is not null then 'exists'
        when u.before is not null and not u.gone and u.now is null then 'deleted'
        when u.before is not null and not u.gone and exists (
            select from acta.events as e
            where e.collection = u.collection and e.item = u.item and e.seq > u.first and e.topic like 'item.%'
              and (e.payload is null or e.payload ?| u.fields)
              and not exists (select from "acta asked" as a where a.seq = e.seq)
        ) then 'changed' end,
    about = case when u.before is not null and not u.gone then (
        select array_agg(distinct f.name) from unnest(u.fields) as f (name)
        where exists (
            select from acta.events as e
            where e.collection = u.collection and e.item = u.item and e.seq > u.first and e.topic like 'item.%'
              and e.payload ? f.name and not exists (select from "acta asked" as a where a.seq = e.seq)
        )
    ) end;

-- name: drop_settled
-- Items that are already what they have to become.
delete from "acta undoing" where reason is null and now is not distinct from target;

-- name: reference_gone
-- Items that would refer to what is not there.
update "acta undoing" as u set reason = 'reference', about = array[%(column)s::text]
where u.collection = %(collection)s and u.reason is null and u.target ->> %(column)s is not null
  and (u.now is null or u.target -> %(column)s is distinct from u.now -> %(column)s)
  and not exists (
      select from {related} as r where r.{key} = (u.target ->> %(column)s)::{type}
        and not exists (
            select from "acta undoing" as g where g.collection = %(related)s and g.reason is null
              and g.now is not null and g.target is null and g.now ->> %(key)s = u.target ->> %(column)s
        )
  )
  and not exists (
      select from "acta undoing" as b where b.collection = %(related)s and b.reason is null
        and b.now is null and b.target ->> %(key)s = u.target ->> %(column)s
  );

-- name: referred
-- Items that would go while others refer to them.
update "acta undoing" as u set reason = 'referred', about = array[%(collection)s::text]
where u.collection = %(related)s and u.reason is null and u.target is null and u.now is not null
  and exists (
      select from {table} as "acta row" where "acta row".{column} = (u.now ->> %(key)s)::{type}
        and not exists (
            select from "acta undoing" as g where g.collection = %(collection)s and g.reason is null
              and {same} and (g.target is null or g.target ->> %(column)s is distinct from u.now ->> %(key)s)
        )
  );

-- name: uniques
-- The unique indexes of a table over plain columns.
select array_agg(a.attname::text order by part.place)
from pg_catalog.pg_index as i
cross join lateral unnest(i.indkey::int2[]) with ordinality as part (attnum, place)
join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = part.attnum
where i.indrelid = %(table)s::text::regclass and i.indisunique and i.indpred is null and i.indexprs is null
  and part.place <= i.indnkeyatts
group by i.indexrelid;

-- name: unique_taken
-- Items whose unique values others have now.
update "acta undoing" as u set reason = 'unique', about = %(columns)s
where u.collection = %(collection)s and u.reason is null and u.target is not null
  and exists (
      select from {table} as "acta row" where {equal} and not ({same_self})
        and not exists (
            select from "acta undoing" as g where g.collection = %(collection)s and g.reason is null
              and {same} and (g.target is null or ({moved}))
        )
  );

-- name: contents_gone
-- Files that would come back without what they held.
update "acta undoing" as u set reason = 'contents', about = null
where u.collection = 'directus_files' and u.reason is null and u.now is null and u.target is not null
  and not exists (select from acta.file_contents as c where c.file::text = u.item);

-- name: files
-- The files that are undone, with the events before which they were what they are to be.
select item, first from "acta undoing" where collection = 'directus_files' order by item;

-- name: conflicts
-- What stands against it.
select collection, item, reason, about from "acta undoing" where reason is not null
order by collection, item limit %(limit)s;

-- name: drop_conflicts
-- Items that are left as they are.
delete from "acta undoing" where reason is not null;

-- name: outcome
-- What happens to which items.
select collection, item, case when now is null then 'create' when target is null then 'delete' else 'update' end,
       (select array_agg(t.key order by t.key) from jsonb_each(target) as t
        where now is not null and t.value is distinct from now -> t.key)
from "acta undoing" order by collection, item;

-- name: insert
-- The rows that come back, and their events.
with written as (
    insert into {table} as "acta row" ({columns}) overriding system value
    select {values} from "acta undoing" as u cross join lateral jsonb_populate_record(null::{table}, u.target) as r
    where u.collection = %(collection)s and u.now is null
    returning {key} as item, to_jsonb("acta row") as payload
)
insert into acta.events (topic, collection, item, actor, request, context, payload, meta)
select 'item.created', %(collection)s, item, %(actor)s, %(request)s, %(context)s, payload, %(meta)s
from written order by item;

-- name: update
-- The rows that change, and their events.
with written as (
    update {table} as "acta row" set {changes}
    from "acta undoing" as u cross join lateral jsonb_populate_record(null::{table}, u.target) as r
    where u.collection = %(collection)s and u.now is not null and u.target is not null and {same}
    returning u.item, u.now, to_jsonb("acta row") as made
)
insert into acta.events (topic, collection, item, actor, request, context, payload, meta)
select 'item.updated', %(collection)s, item, %(actor)s, %(request)s, %(context)s, (
    select jsonb_object_agg(t.key, t.value) from jsonb_each(made) as t where t.value is distinct from now -> t.key
), %(meta)s
from written where made is distinct from now order by item;

-- name: delete
-- The rows that go, and their events.
with written as (
    delete from {table} as "acta row" using "acta undoing" as u
    where u.collection = %(collection)s and u.target is null and {same}
    returning u.item
)
insert into acta.events (topic, collection, item, actor, request, context, payload, meta)
select 'item.deleted', %(collection)s, item, %(actor)s, %(request)s, %(context)s, null, %(meta)s
from written order by item;

-- name: as_differing
-- The same for the way without foreign keys.
create temporary table "acta differing" on commit drop as
select item, now, target from "acta undoing" where collection = {collection};
