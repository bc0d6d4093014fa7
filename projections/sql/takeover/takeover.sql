-- name: present
-- Whether a schema holds the tables of a Directus 11, and whether it holds those of any Directus.
select to_regclass(quote_ident(%(schema)s) || '.directus_policies') is not null,
       to_regclass(quote_ident(%(schema)s) || '.directus_users') is not null;

-- name: is_there
-- Whether both sides have a table of this name.
select to_regclass(quote_ident(%(schema)s) || '.' || quote_ident(%(table)s)) is not null
   and to_regclass('acta.' || quote_ident(%(table)s)) is not null;

-- name: taken
-- Whether a takeover is behind us, and whether anything else is in the log.
select exists (select from acta.directus_migrations), exists (select from acta.events);

-- name: limit_waiting
-- How long to wait for tables that others use.
set local lock_timeout = '5s';

-- name: keep
-- Nobody writes to a table while it is copied.
lock table {table} in share mode;

-- name: columns
-- The columns of the two tables of one name: of the old one with the type of the new one, null where that has none; and
-- whether the types differ, the column is a field that people added, and it fills itself from a sequence.
select o.attname,
       case when n.attname is not null then format_type(n.atttypid, n.atttypmod) end,
       n.atttypid is distinct from o.atttypid,
       exists (
           select from {fields} as f where f.collection = %(table)s and f.field = o.attname
       ),
       n.attname is not null and pg_get_serial_sequence('acta.' || %(table)s, o.attname) is not null
from pg_catalog.pg_attribute as o
left join pg_catalog.pg_attribute as n
       on n.attrelid = ('acta.' || quote_ident(%(table)s))::regclass and n.attname = o.attname and not n.attisdropped
where o.attrelid = (quote_ident(%(schema)s) || '.' || quote_ident(%(table)s))::regclass
  and o.attnum > 0 and not o.attisdropped
order by o.attnum;

-- name: secrets
-- The values of a column that must not get into the log as they are.
select o.id::text, o.{column} from {old} as o where o.{column} is not null;

-- name: copy
-- The rows of an old table become ours, with the event that their history begins with.
with "acta row" as (
    insert into {table} ({columns}) select {values} from {old} as o
    returning *
)
insert into acta.events (topic, collection, item, request, payload)
select 'item.adopted', %(collection)s, r.{key}::text, %(request)s::uuid, to_jsonb(r) from "acta row" as r;

-- name: copy_silently
-- The rows of an old table become ours, untold.
insert into {table} ({columns}) select {values} from {old} as o;

-- name: go_on_numbering
-- New rows get the numbers after those that are there.
select setval(pg_get_serial_sequence(%(table)s, %(column)s), m.last)
from (select max({column}) as last from {table}) as m where m.last is not null;

-- name: lost
-- How many rows have a value that can't be taken over.
select count(o.{column}) from {old} as o;

-- name: contexts
-- Where the requests of old came from.
insert into acta.requests (ip, user_agent, origin)
select distinct a.ip, a.user_agent, a.origin from {activity} as a
on conflict do nothing;

-- name: past
-- Activity and revisions as events below every position: in the old order, the last one being number -1. An activity with
-- several revisions gives an event for each.
with numbered as materialized (
    select a.id as activity, r.id as revision,
           row_number() over (order by a.id, r.id) - 1 - count(*) over () as seq
    from {activity} as a left join {revisions} as r on r.activity = a.id
)
insert into acta.events (seq, at, topic, collection, item, actor, context, payload, meta)
overriding system value
select n.seq, a.timestamp, 'past.activity', a.collection, a.item, a."user", q.id,
       case when r.id is not null then jsonb_build_object('data', r.data, 'delta', r.delta) end,
       jsonb_strip_nulls(jsonb_build_object('action', a.action, 'version', r.version, 'before', p.seq))
from numbered as n
join {activity} as a on a.id = n.activity
left join {revisions} as r on r.id = n.revision
left join numbered as p on p.revision = r.parent
left join acta.requests as q on (q.ip, q.user_agent, q.origin) is not distinct from (a.ip, a.user_agent, a.origin);

-- name: foreign_keys
-- The foreign keys from other tables to the old ones, as they are to be from now on; and those from fields that people
-- added to old tables, which ours get as well. Names in texts are qualified, since nothing else is in the path.
select n.nspname, c.relname, k.conname,
       replace(
           pg_get_constraintdef(k.oid),
           ' REFERENCES ' || quote_ident(t.nspname) || '.' || quote_ident(to_.relname) || '(',
           ' REFERENCES acta.' || quote_ident(to_.relname) || '('
       ),
       c.relnamespace = %(schema)s::regnamespace and c.relname like 'directus\_%%'
from pg_catalog.pg_constraint as k
join pg_catalog.pg_class as c on c.oid = k.conrelid
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
join pg_catalog.pg_class as to_ on to_.oid = k.confrelid
join pg_catalog.pg_namespace as t on t.oid = to_.relnamespace
where k.contype = 'f' and k.conparentid = 0 and n.nspname <> 'acta'
  and case when c.relnamespace = %(schema)s::regnamespace and c.relname like 'directus\_%%'
      then c.relname || '.' || (
          select a.attname from pg_catalog.pg_attribute as a where a.attrelid = k.conrelid and a.attnum = k.conkey[1]
      ) = any (%(added)s)
      else to_.relnamespace = %(schema)s::regnamespace and to_.relname like 'directus\_%%'
           and to_regclass('acta.' || quote_ident(to_.relname)) is not null end
order by 1, 2, 3;
