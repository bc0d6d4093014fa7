-- name: lock
-- One archiver at a time, for as long as the session lives.
select pg_try_advisory_lock(%(key)s);

-- name: unlock
-- Let the next one archive or recall.
select pg_advisory_unlock(%(key)s);

-- name: partitions
-- The partitions of the log that hold more than what is kept of archived ones, in their order: number, table, first seq,
-- seq before which they end, bytes.
select substring(c.relname from '^events_(\d+)$')::int,
       (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''(\d+)''\) TO \(''(\d+)''\)'))[1]::bigint,
       (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''(\d+)''\) TO \(''(\d+)''\)'))[2]::bigint,
       pg_total_relation_size(c.oid)
from pg_catalog.pg_inherits as i join pg_catalog.pg_class as c on c.oid = i.inhrelid
where i.inhparent = 'acta.events'::regclass and c.relname ~ '^events_\d+$'
  and not exists (
      select from acta.archives as a
      where a.state = 'archived' and a.number = substring(c.relname from '^events_(\d+)$')::int
  )
order by 1;

-- name: drawn
-- The highest seq drawn so far.
select last_value from acta.events_seq_seq;

-- name: writers
-- Wait until nobody is writing: whoever drew a seq before has written his event then, or never will.
lock table acta.events in share row exclusive mode;

-- name: sealed
-- How many events of a partition have positions.
select coalesce(sum(upper(piece) - lower(piece)), 0)
from acta.seals as seal cross join lateral unnest(seal.members * int8multirange(int8range(%(first)s, %(end)s))) as piece
where seal.members && int8range(%(first)s, %(end)s);

-- name: about
-- What a partition holds: events, the last seq, the last time, and the highest position.
select count(*), max(seq), max(at), (
    select max(first_position + coalesce((
        select sum(least(upper(piece), %(end)s) - lower(piece)) from unnest(seal.members) as piece where lower(piece) < %(end)s
    ), 0)::bigint - 1)
    from acta.seals as seal where seal.members && int8range(%(first)s, %(end)s)
)
from {partition};

-- name: behind
-- The follower that is farthest back.
select name, position from acta.cursors order by position limit 1;

-- name: redacted
-- Changes when values are erased from the log.
select coalesce(max(seq), 0) from acta.events where topic = 'log.redacted';

-- name: begin
-- An archive begins; nothing rests on it yet.
insert into acta.archives (
    number, first_seq, end_seq, last_seq, position, last_at, location, prefix, events, table_bytes, state
) values (
    %(number)s, %(first)s, %(end)s, %(last)s, %(position)s, %(last_at)s, %(location)s, %(prefix)s, %(events)s, %(bytes)s,
    'writing'
);

-- name: write
-- The events of a partition, by item, to be copied. In the order of an index: sorting would take much room.
copy (
    select collection, item, seq, xid, at, topic, actor, request, context, payload, meta
    from {partition} order by collection, item, seq
) to stdout;

-- name: forget
-- Nothing further asks.
truncate "acta archived";

-- name: same
-- How many of the events that arrived are those of the partition.
select count(*) from "acta archived" as a join {partition} as e using (seq)
where (a.collection, a.item, a.xid, a.at, a.topic, a.actor, a.request, a.context, a.payload::text, a.meta::text)
      is not distinct from
      (e.collection, e.item, e.xid, e.at, e.topic, e.actor, e.request, e.context, e.payload::text, e.meta::text);

-- name: note_file
-- A file that was written, and read again.
insert into acta.archive_files (number, nth, path, sha256, events, bytes, first_key, last_key)
values (%(number)s, %(nth)s, %(path)s, %(sha256)s, %(events)s, %(bytes)s, %(first_key)s, %(last_key)s);

-- name: patience
-- Writers wait behind the lock, so it must not wait long itself.
set local lock_timeout = '2s';

-- name: table_for
-- The table that takes a partition's place; its indexes are those of the others.
create table {table} (like acta.events including defaults including constraints including storage);

-- name: keep
-- What the present rests on beside the states of items.
insert into {table} (xid, seq, at, topic, collection, item, actor, request, context, payload, meta)
select xid, seq, at, topic, collection, item, actor, request, context, payload, meta from {partition}
where topic not like 'item.%' and topic not in ('user.login', 'user.logout', 'flow.run');

-- name: touched
-- The items of a partition, with their last events.
create temporary table "acta touched" on commit drop as
select collection, item, max(seq) as last from {partition} where topic like 'item.%' group by collection, item;

-- name: collections
-- Their collections.
select distinct collection from "acta touched" order by collection;

-- name: ends
-- The last events of items that are gone.
insert into {table} (xid, seq, at, topic, collection, item, actor, request, context, payload, meta)
select e.xid, e.seq, e.at, e.topic, e.collection, e.item, e.actor, e.request, e.context, e.payload, e.meta
from "acta touched" as t join {partition} as e on e.seq = t.last
where e.payload is null;

-- name: states
-- One row for each item that was there at the end.
insert into {table} (xid, seq, at, topic, collection, item, payload, meta)
select e.xid, e.seq, e.at, 'item.adopted', e.collection, e.item, told.state,
       '{{"archived": true}}'::jsonb || case when e.collection = 'directus_files' then coalesce((
           select jsonb_build_object('content', c.meta -> 'content') from acta.events as c
           where c.collection = e.collection and c.item = e.item and c.seq <= e.seq and c.meta ? 'content'
           order by c.seq desc limit 1
       ), '{{}}') else '{{}}' end
from ({fold}) as told
join "acta touched" as t on t.collection = %(collection)s and t.item = told.item
join {partition} as e on e.seq = t.last
where e.payload is not null;

-- name: forget_snapshots
-- Derived from what is archived.
delete from acta.snapshots where seq >= %(first)s and seq < %(end)s;

-- name: bounded
-- Known to hold what it holds, the table needs no reading when it becomes a partition.
alter table {table} add constraint bounds check (seq >= {first} and seq < {end} and seq is not null);

-- name: index
-- The indexes of the log, on a table that becomes its partition: made before anybody waits for it.
select pg_get_indexdef(i.indexrelid), i.indisprimary
from pg_catalog.pg_index as i where i.indrelid = 'acta.events'::regclass order by i.indexrelid;

-- name: detach
-- The partition goes.
alter table acta.events detach partition {partition};

-- name: attach
-- Its successor comes.
alter table acta.events attach partition {table} for values from ({first}) to ({end});

-- name: state
-- How an archive stands.
update acta.archives set state = %(state)s where number = %(number)s;

-- name: hold
-- An archive that others leave as it is meanwhile.
select number, first_seq, end_seq, events from acta.archives where number = %(number)s and state = 'archived' for update;

-- name: ended
-- Archives whose files have no use (any more).
select number, location, prefix from acta.archives where state <> 'archived' order by number;

-- name: remove
-- An archive without files.
delete from acta.archives where number = %(number)s;

-- name: archives
-- What is archived: by number, with how much that is in files and was in the table.
select a.number, a.first_seq, a.end_seq, a.last_seq, a.position, a.last_at, a.location, a.events, a.table_bytes,
       (select coalesce(sum(f.bytes), 0)::bigint from acta.archive_files as f where f.number = a.number)
from acta.archives as a where a.state = 'archived' order by a.number;

-- name: files
-- The files of an archive, or those of them that can hold an item.
select a.location, f.path, f.sha256, f.events from acta.archives as a join acta.archive_files as f using (number)
where a.state = 'archived' and a.number = %(number)s
  and (%(key)s::text is null or %(key)s::text between f.first_key and f.last_key)
order by f.nth;

-- name: away
-- The archives whose events of an item were not brought back: number, first seq, seq before which they end.
select a.number, a.first_seq, a.end_seq from acta.archives as a
where a.state = 'archived' and not exists (
    select from acta.archive_items as i
    where i.number = a.number and i.collection = %(collection)s and i.item = %(item)s
)
order by a.number;

-- name: item_alone
-- Whoever else brings the item back waits, and finds it there.
select pg_advisory_xact_lock(hashtextextended(%(collection)s || ' ' || %(item)s, %(key)s));

-- name: share
-- No archive may go while an item's events are brought back.
select number from acta.archives where state = 'archived' order by number for share nowait;

-- name: note_item
-- An item whose events of an archive are back.
insert into acta.archive_items (number, collection, item) values (%(number)s, %(collection)s, %(item)s);

-- name: replace_item
-- What stood for an item in a partition goes, and its events come.
delete from {partition} as e where e.collection = %(collection)s and e.item = %(item)s and e.topic like 'item.%%';

-- name: fill_item
-- The events of an item among those that arrived.
insert into {partition} (xid, seq, at, topic, collection, item, actor, request, context, payload, meta)
overriding system value
select xid, seq, at, topic, collection, item, actor, request, context, payload, meta from "acta archived"
where collection = %(collection)s and item = %(item)s and topic like 'item.%%';
