-- name: register
-- Note a follower that is new, at the position it begins after.
insert into acta.cursors (name, position, reached) values (%(name)s, %(position)s, %(position)s)
on conflict do nothing;

-- name: hold
-- A follower's cursor, locked until the transaction ends; no row while another process has it.
select position, reached, rewinds, paused from acta.cursors where name = %(name)s for update skip locked;

-- name: look
-- A follower's cursor, unlocked.
select position, reached, rewinds, paused from acta.cursors where name = %(name)s;

-- name: move
-- Everything up to a position is done, unless the position was set by hand since; the number of rows tells.
update acta.cursors
set position = %(position)s, reached = greatest(reached, %(position)s), moved_at = now(),
    failures = 0, error = null, failed_at = null
where name = %(name)s and rewinds = %(rewinds)s;

-- name: fail
-- A batch failed; for operators to see.
update acta.cursors set failures = %(failures)s, error = %(error)s, failed_at = now() where name = %(name)s;

-- name: park
-- An event that can't be handled.
insert into acta.parked (follower, position, seq, error)
values (%(name)s, %(position)s, %(seq)s, %(error)s)
on conflict (follower, position) do update set error = excluded.error, at = now();

-- name: parked
-- The events that a follower went on without, oldest first.
select parked.position, parked.seq, event.collection, event.item, parked.error, parked.at
from acta.parked join acta.events event using (seq)
where follower = %(name)s order by parked.position limit %(limit)s;

-- name: pause
-- Stop or resume a follower; no row when there is none of the name.
update acta.cursors set paused = %(paused)s where name = %(name)s and name <> 'seal' returning name;

-- name: rewind
-- Set a follower's position; with `again` also what counts as never done before. Parked events after it get
-- another chance.
with moved as (
    update acta.cursors
    set position = %(position)s, rewinds = rewinds + 1, failures = 0, error = null, failed_at = null,
        moved_at = now(), reached = case when %(again)s then %(position)s else reached end
    where name = %(name)s and name <> 'seal' returning name
), given_a_chance as (
    delete from acta.parked using moved where follower = moved.name and acta.parked.position > %(position)s
)
select name from moved;

-- name: forget
-- Remove a follower that no process runs any more.
delete from acta.cursors where name = %(name)s and name <> 'seal' returning name;

-- name: overview
-- Every follower as it stands, and the end of the log (the sealer notes it too, but is no follower). A follower is run by whoever has its advisory lock.
with head as (select coalesce(max(last_position), 0) as position from acta.seals)
select cursor.name, cursor.position, head.position, cursor.paused, cursor.failures, cursor.error,
    cursor.failed_at, cursor.moved_at,
    (select count(*) from acta.parked where follower = cursor.name),
    exists (
        select from pg_locks
        where locktype = 'advisory' and granted and objsubid = 2 and classid = %(class)s
          and database = (select oid from pg_database where datname = current_database())
          and objid::bigint = hashtext(cursor.name)::bigint & 4294967295
    )
from acta.cursors cursor, head
where cursor.name <> 'seal'
order by cursor.name;

-- name: lead
-- Become the one process that runs a follower, as long as the connection lasts.
select pg_try_advisory_lock(%(class)s, hashtext(%(name)s));

-- name: alive
-- Whether the connection still is.
select 1;
