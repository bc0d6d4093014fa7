-- name: candidates
-- The items of a collection that log and table tell differently, looked at without a lock.
create temporary table "acta touched" on commit drop as
with told as materialized ({fold}), live as materialized (
    select {key} as item, to_jsonb("acta row") as state from {table} as "acta row"
)
select %(collection)s::text as collection, coalesce(live.item, told.item) as item
from live full join (
    select told.item, to_jsonb("acta row") as state
    from told cross join lateral jsonb_populate_record(null::{table}, told.state) as "acta row"
) as told on told.item = live.item
where live.state is distinct from told.state;

-- name: named
-- The same for items that are known to be touched.
create temporary table "acta touched" on commit drop as
select distinct {collection}::text as collection, item from unnest({items}::text[]) as items (item);

-- name: any_touched
-- Whether there is anything to look at.
select exists (select from "acta touched");

-- name: patience
-- Writers wait behind the lock, so it must not wait long itself.
set local lock_timeout = '2s';

-- name: hold
-- Keep writers off a table while the last look is taken and told.
lock table {table} in share mode;

-- name: tell
-- What was done behind our back: the row as it is now, the fields that differ, or nothing.
insert into acta.events (topic, collection, item, actor, request, context, payload, meta)
select 'item.observed', %(collection)s, d.item, null, %(request)s, null,
       case when d.target is null then d.now
            when d.now is not null then (
                select jsonb_object_agg(t.key, t.value) from jsonb_each(d.now) as t
                where t.value is distinct from d.target -> t.key
            ) end,
       jsonb_build_object('action', case when d.target is null then 'create' when d.now is null then 'delete' else 'update' end,
                          'by', 'database', 'found', %(found)s::text)
       || case when coalesce(%(users)s::jsonb ->> d.item, %(user)s::text) is null then '{}'
               else jsonb_build_object('user', coalesce(%(users)s::jsonb ->> d.item, %(user)s::text)) end
from "acta differing" as d order by d.item;

-- name: able
-- Whether changes can be decoded: the server writes what it takes, and we may read it.
select current_setting('wal_level') = 'logical'
   and (select r.rolreplication or r.rolsuper from pg_catalog.pg_roles as r where r.rolname = current_user);

-- name: slot
-- Our slot: whether it can still be read, and how many bytes of the server's log it keeps.
select s.wal_status is distinct from 'lost', pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::bigint
from pg_catalog.pg_replication_slots as s where s.slot_name = %(slot)s and s.database = current_database();

-- name: make_slot
-- A slot that begins now.
select pg_create_logical_replication_slot(%(slot)s, 'pgoutput');

-- name: drop_slot
-- Give a slot up.
select pg_drop_replication_slot(%(slot)s);

-- name: published
-- The tables that are published now.
select p.schemaname, p.tablename from pg_catalog.pg_publication_tables as p where p.pubname = %(publication)s order by 1, 2;

-- name: has_publication
-- Whether there is our publication.
select exists (select from pg_catalog.pg_publication where pubname = %(publication)s);

-- name: publishable
-- Of some tables, those whose rows can be told apart by a primary key: publishing others would stop their writers.
select n.nspname, c.relname
from unnest(%(tables)s::text[]) as t (place)
join pg_catalog.pg_class as c on c.oid = t.place::regclass
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where c.relreplident = 'd' and c.relpersistence = 'p' and c.relkind in ('r', 'p')
  and exists (select from pg_catalog.pg_index as i where i.indrelid = c.oid and i.indisprimary)
order by 1, 2;

-- name: peek
-- What has happened since the last time, up to a position of the server's log.
select lsn::text, data from pg_logical_slot_peek_binary_changes(
    %(slot)s, %(upto)s, %(limit)s, 'proto_version', '1', 'publication_names', %(publication)s
);

-- name: now
-- Where the server's log ends.
select pg_current_wal_lsn()::text;

-- name: advance
-- Everything up to a position is done.
select pg_replication_slot_advance(%(slot)s, %(upto)s);
