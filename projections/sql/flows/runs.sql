-- name: begin
-- A run that an event has set off, in the transaction that moves the follower's position.
insert into acta.flow_runs (flow, position, kind, trigger, accountability, request, chain)
values (%(flow)s, %(position)s, %(kind)s, %(trigger)s, %(accountability)s, %(request)s, %(chain)s)
on conflict (flow, position, kind) do nothing;

-- name: secret_fields
-- The columns of a collection that hold secrets or digests of secrets.
select s.name from jsonb_each(acta.history_shape_v1(%(collection)s)) as s (name, shape)
where (s.shape ->> 'masked')::boolean;

-- name: unfinished
-- Runs that wait or were cut off, oldest first.
select id, flow, trigger, accountability, request, state, chain
from acta.flow_runs where finished is null and id > %(after)s order by id limit %(limit)s;

-- name: keep
-- How far a run has come.
update acta.flow_runs set state = %(state)s where id = %(id)s;

-- name: finish
-- A run is over, and what it worked with is gone.
update acta.flow_runs set finished = now(), state = null where id = %(id)s;

-- name: sweep
-- Runs that were over long ago.
delete from acta.flow_runs where finished < now() - interval '7 days';

-- name: tick
-- Take a moment of a schedule; no row when another process had it, or a later one.
insert into acta.flow_schedules (flow, at) values (%(flow)s, %(at)s)
on conflict (flow) do update set at = excluded.at where acta.flow_schedules.at < excluded.at
returning at;
