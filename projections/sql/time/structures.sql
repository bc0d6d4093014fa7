-- name: alone
-- One look at a time.
select pg_advisory_xact_lock(%(key)s);

-- name: present
-- Tables as they are: place, oid, what changes whenever they do, columns by number, the transactions that made them so.
with chosen as (
    select c.oid, t.place, c.xmin as made
    from unnest(%(places)s::text[], %(schemas)s::text[], %(tables)s::text[]) as t (place, schema, name)
    join pg_catalog.pg_namespace as n on n.nspname = t.schema
    join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = t.name
), parts as (
    select c.oid, 'c' as kind, 0 as part, c.made as made from chosen as c
    union all
    select a.attrelid, 'a', a.attnum, a.xmin from pg_catalog.pg_attribute as a join chosen as c on c.oid = a.attrelid
    where a.attnum > 0
    union all
    select d.adrelid, 'd', d.adnum, d.xmin from pg_catalog.pg_attrdef as d join chosen as c on c.oid = d.adrelid
    union all
    select k.conrelid, 'k', k.oid::bigint, k.xmin from pg_catalog.pg_constraint as k join chosen as c on c.oid = k.conrelid
    union all
    select g.tgrelid, 't', g.oid::bigint, g.xmin from pg_catalog.pg_trigger as g join chosen as c on c.oid = g.tgrelid
    union all
    select s.objoid, 's', s.objsubid, s.xmin from pg_catalog.pg_description as s join chosen as c on c.oid = s.objoid
    where s.classoid = 'pg_catalog.pg_class'::regclass
), marks as (
    select oid, md5(string_agg(kind || part || ':' || made::text, ',' order by kind, part, made::text)) as mark,
           array_agg(distinct made::text::bigint) as made
    from parts group by oid
)
select c.place, c.oid::bigint, m.mark, m.made, (
    select coalesce(jsonb_object_agg(a.attnum::text, a.attname), '{}') from pg_catalog.pg_attribute as a
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
)
from chosen as c join marks as m on m.oid = c.oid;

-- name: known
-- Tables as they were.
select place, oid::bigint, collection, mark, columns, definition, seq from acta.structures;

-- name: told
-- By collection, the last event about its structure: seq and topic.
select collection, max(seq), (array_agg(topic order by seq desc))[1] from acta.events
where topic in (
    'collection.created', 'collection.updated', 'collection.deleted', 'collection.renamed',
    'field.created', 'field.updated', 'field.deleted', 'field.renamed',
    'relation.created', 'relation.updated', 'relation.deleted'
) group by collection;

-- name: keep
-- A table as it is now.
insert into acta.structures (place, oid, collection, mark, columns, definition, seq)
values (%(place)s, %(oid)s::bigint::oid, %(collection)s, %(mark)s, %(columns)s, %(definition)s, coalesce((
    select max(seq) from acta.events
    where collection = %(collection)s and topic in (
        'collection.created', 'collection.updated', 'collection.deleted', 'collection.renamed',
        'field.created', 'field.updated', 'field.deleted', 'field.renamed',
        'relation.created', 'relation.updated', 'relation.deleted'
    )
), 0))
on conflict (place) do update set
    oid = excluded.oid, collection = excluded.collection, mark = excluded.mark, columns = excluded.columns,
    definition = excluded.definition, seq = excluded.seq;

-- name: forget
-- A table that is gone.
delete from acta.structures where place = %(place)s;

-- name: sessions
-- Transactions under way in this database that are not Acta's, and the users of all sessions that aren't.
select s.backend_xid::text::bigint, s.usename::text
from pg_catalog.pg_stat_activity as s
where s.datname = current_database() and s.usename is not null and s.application_name not like 'acta%';
