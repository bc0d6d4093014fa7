-- name: occupied
-- Whether a database holds anything of a user's or of ours.
select exists (
    select from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') and n.nspname not like 'pg\_temp%'
      and n.nspname not like 'pg\_toast\_temp%' and not exists (
          select from pg_catalog.pg_depend as e where e.objid = c.oid and e.deptype = 'e'
      )
), to_regclass('acta.restoring') is not null;

-- name: begin
-- The note that a restore is under way here; it goes when that is done.
create schema acta;
create table acta.restoring (position bigint not null, tables jsonb, done text[] not null default '{}');

-- name: note_position
-- Which moment is restored.
insert into acta.restoring (position) values (%(position)s);

-- name: progress
-- How far a restore has come: its position, the definitions of the tables once they are known, the collections done.
select position, tables, done from acta.restoring;

-- name: note_tables
-- The tables are known and made.
update acta.restoring set tables = %(tables)s;

-- name: note_done
-- One more collection is there.
update acta.restoring set done = done || %(collection)s::text;

-- name: finish
-- Nothing is left to be done.
drop table acta.restoring;

-- name: schemas
-- The schemas to be made.
select 'create schema if not exists ' || quote_ident(n.nspname)
from pg_catalog.pg_namespace as n
where n.nspname not in ('acta', 'public', 'pg_catalog', 'information_schema') and n.nspname not like 'pg\_%' order by n.nspname;

-- name: extensions
-- The extensions to be made.
select format('create extension if not exists %I with schema %I', x.extname, n.nspname)
from pg_catalog.pg_extension as x join pg_catalog.pg_namespace as n on n.oid = x.extnamespace
where x.extname <> 'plpgsql' order by x.extname;

-- name: types
-- The enums and domains to be made, in the order in which they were.
select case t.typtype
    when 'e' then format('create type %I.%I as enum (%s)', n.nspname, t.typname, (
        select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
        from pg_catalog.pg_enum as e where e.enumtypid = t.oid
    ))
    else format('create domain %I.%I as %s%s%s%s', n.nspname, t.typname, format_type(t.typbasetype, t.typtypmod),
        coalesce(' default ' || t.typdefault, ''), case when t.typnotnull then ' not null' else '' end,
        coalesce((
            select string_agg(format(' constraint %I %s', k.conname, pg_get_constraintdef(k.oid)), '' order by k.conname)
            from pg_catalog.pg_constraint as k where k.contypid = t.oid and k.contype = 'c'
        ), '')) end
from pg_catalog.pg_type as t join pg_catalog.pg_namespace as n on n.oid = t.typnamespace
where t.typtype in ('e', 'd') and n.nspname not in ('acta', 'pg_catalog', 'information_schema')
  and n.nspname not like 'pg\_%'
  and not exists (select from pg_catalog.pg_depend as e where e.objid = t.oid and e.deptype = 'e')
order by t.oid;

-- name: functions
-- The functions and procedures to be made.
select pg_get_functiondef(p.oid)
from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
where p.prokind in ('f', 'p') and n.nspname not in ('acta', 'pg_catalog', 'information_schema')
  and n.nspname not like 'pg\_%'
  and not exists (select from pg_catalog.pg_depend as e where e.objid = p.oid and e.deptype = 'e')
order by p.oid;

-- name: views
-- The views to be made, in the order in which they were.
select format('create %sview %I.%I as %s', case c.relkind when 'm' then 'materialized ' else '' end,
    n.nspname, c.relname, pg_get_viewdef(c.oid))
from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('v', 'm') and n.nspname not in ('acta', 'pg_catalog', 'information_schema')
  and n.nspname not like 'pg\_%'
  and not exists (select from pg_catalog.pg_depend as e where e.objid = c.oid and e.deptype = 'e')
order by c.oid;

-- name: lenient
-- Functions are made before what they speak of.
set local check_function_bodies = off;

-- name: staging
-- Where states arrive.
create temporary table "acta arriving" (item text, state jsonb) on commit drop;

-- name: export
-- The states of a collection's items, to be copied.
copy ({fold}) to stdout;

-- name: import
-- The other end of it.
copy "acta arriving" from stdin;

-- name: fill
-- Rows of the states that arrived.
insert into {table} ({columns}) overriding system value
select {values} from "acta arriving" as a cross join lateral jsonb_populate_record(null::{table}, a.state) as r;

-- name: fill_here
-- Rows of the states, in the database that holds the log.
insert into {table} ({columns}) overriding system value
select {values} from ({fold}) as a cross join lateral jsonb_populate_record(null::{table}, a.state) as r;

-- name: drawn
-- The highest number a column was ever given up to the cut.
select max((e.payload ->> %(column)s)::numeric)::bigint from acta.events as e
where e.collection = %(collection)s and e.seq <= %(upto)s and not %(later)s::int8multirange @> e.seq
  and e.topic in ('item.created', 'item.adopted', 'item.observed');

-- name: move_sequence
-- Let a sequence go on behind a number.
select setval(pg_get_serial_sequence(%(table)s, %(column)s), %(value)s)
where pg_get_serial_sequence(%(table)s, %(column)s) is not null;

-- name: empty_log
-- What was written while the structure was made is no history.
truncate acta.events, acta.seals, acta.snapshots, acta.requests, acta.cursors cascade;

-- name: last_event
-- How far the log has been copied.
select coalesce(max(seq), -9223372036854775807) from acta.events;

-- name: export_events
-- A part of the log, to be copied.
copy (
    select xid, seq, at, topic, collection, item, actor, request, context, payload, meta from acta.events
    where seq > %(after)s and seq <= %(end)s and not %(later)s::int8multirange @> seq order by seq
) to stdout;

-- name: import_events
-- The other end of it.
copy acta.events (xid, seq, at, topic, collection, item, actor, request, context, payload, meta) from stdin;

-- name: unpack
-- The events of an archive that had happened by then.
insert into acta.events (xid, seq, at, topic, collection, item, actor, request, context, payload, meta) overriding system value
select xid, seq, at, topic, collection, item, actor, request, context, payload, meta from "acta archived"
where seq <= %(upto)s and not %(later)s::int8multirange @> seq on conflict do nothing;

-- name: export_seals
-- The seals of what is copied.
copy (select * from acta.seals where last_position <= %(position)s order by id) to stdout;

-- name: import_seals
-- The other end of it.
copy acta.seals from stdin;

-- name: export_requests
-- The contexts of commands.
copy (select id, ip, user_agent, origin from acta.requests) to stdout;

-- name: import_requests
-- The other end of it.
copy acta.requests (id, ip, user_agent, origin) from stdin;

-- name: export_cursors
-- Followers go on where they were, at most at the cut.
copy (select name, least(position, %(position)s) from acta.cursors) to stdout;

-- name: import_cursors
-- The other end of it.
copy acta.cursors (name, position) from stdin;

-- name: clear_log
-- The small tables of the log are copied whole, again when it was interrupted.
truncate acta.seals, acta.requests, acta.cursors cascade;

-- name: continue_log
-- Numbers go on behind those of the copied log.
select setval('acta.events_seq_seq', greatest(%(upto)s, 1)),
       (select setval(pg_get_serial_sequence('acta.requests', 'id'), coalesce(max(id), 0) + 1, false) from acta.requests);

-- name: adoptions
-- Which tables were adopted.
copy (select * from acta.adoptions) to stdout;

-- name: import_adoptions
-- The other end of it.
copy acta.adoptions from stdin;

-- name: contents
-- What files hold, as the log has it: their objects are elsewhere.
insert into acta.file_contents (file, location, path, sha256, size)
select f.id, f.storage, f.filename_disk, told.content ->> 'sha256', (told.content ->> 'size')::bigint
from acta.directus_files as f cross join lateral (
    select e.meta -> 'content' as content from acta.events as e
    where e.collection = 'directus_files' and e.item = f.id::text and e.meta ? 'content'
    order by e.seq desc limit 1
) as told
where f.filename_disk is not null;

-- name: schema_exists
-- Whether a schema is there.
select exists (select from pg_catalog.pg_namespace where nspname = %(schema)s);
