-- name: unfinished
-- Of some collections, those that are neither adopted to the end nor were made by Acta, with the rows already done.
select c.name, coalesce(a.rows, 0)
from unnest(%(collections)s::text[]) with ordinality as c (name, place)
left join acta.adoptions as a on a.collection = c.name
where a.finished_at is null and not exists (
    select from acta.events as e
    where e.collection = c.name and e.item = c.name and e.topic = 'collection.created'
)
order by c.place;

-- name: estimate
-- About how many rows a table and its children hold by the statistics; null when one of them has none yet.
with recursive family as (
    select %(table)s::regclass::oid as oid
    union
    select i.inhrelid from pg_catalog.pg_inherits as i join family as f on f.oid = i.inhparent
)
select case when bool_and(c.reltuples >= 0) then sum(c.reltuples)::bigint end
from family as f join pg_catalog.pg_class as c on c.oid = f.oid
where c.relkind = 'r';

-- name: count
-- How many rows a table holds, counted up to a limit.
select count(*) from (select from {table} limit %(limit)s) as counted;

-- name: claim
-- The progress of one collection, locked for the next batch: two adoptions at once take turns.
insert into acta.adoptions (collection) values (%(collection)s)
on conflict (collection) do update set collection = excluded.collection
returning last_key, finished_at is not null;

-- name: patience
-- How long a batch may wait for writers, who queue behind it meanwhile.
set local lock_timeout = '500ms';

-- name: hold
-- Keep writers off the table for the length of one batch, once those at work have finished: the event that tells a row's
-- state then stands in the log after the events that led to it and before those that follow. (Locks on the rows do the
-- same, but are written to them: four times as slow.)
lock table {table} in share mode;

-- name: batch
-- The next rows in key order and their baseline events; rows that were created or adopted already are passed over.
-- Gives the number of rows read and of events, and the last key. (NOT EXISTS would become a join, which without
-- statistics on a log that grows under it reads the whole log for every batch.)
with "acta row" as materialized (
    select cast(t.* as {table}) as found, {key} as item, {parts} as parts from {table} as t {after}
    order by {order} limit %(limit)s
), "acta event" as (
    insert into acta.events (topic, collection, item, request, payload)
    select 'item.adopted', {collection}, r.item, %(request)s::uuid, to_jsonb(r.found)
    from "acta row" as r
    where (
        select true from acta.events as e
        where e.collection = {collection} and e.item = r.item and e.topic in ('item.created', 'item.adopted')
        limit 1
    ) is null
    returning 1
)
select (select count(*) from "acta row"), (select count(*) from "acta event"),
       (select r.parts from "acta row" as r offset (select greatest(count(*) - 1, 0) from "acta row"));

-- name: record
-- Note a batch as done.
update acta.adoptions
set last_key = coalesce(%(last_key)s::text[], last_key), rows = rows + %(rows)s,
    finished_at = case when %(finished)s then now() end
where collection = %(collection)s;
