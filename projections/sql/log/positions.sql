-- name: ranges
-- The pieces of the log at the positions after one, up to a limit: seqs from .. before, and what to add to a
-- seq to get its position. A piece of a seal holds every seq between its ends, so nothing has to be counted.
with sealed as materialized (
    select id, first_position, last_position, members from acta.seals
    where last_position > %(after)s::bigint
    order by last_position
    limit %(limit)s::bigint
), pieces as (
    select
        lower(piece) as first_seq,
        upper(piece) as end_seq,
        first_position + coalesce(sum(upper(piece) - lower(piece)) over (
            partition by id order by lower(piece) rows between unbounded preceding and 1 preceding
        ), 0)::bigint as first_position
    from sealed, unnest(members) piece
    where sealed.first_position <= %(after)s::bigint + %(limit)s::bigint
)
select
    first_seq + greatest(%(after)s::bigint + 1 - first_position, 0) as first_seq,
    least(end_seq, first_seq + %(after)s::bigint + %(limit)s::bigint + 1 - first_position) as end_seq,
    first_position - first_seq as shift
from pieces
where first_position <= %(after)s::bigint + %(limit)s::bigint and first_position + end_seq - first_seq > %(after)s::bigint + 1

-- name: events
-- The events of these pieces, to be named by what follows. The fence has them looked up piece by piece: joined
-- freely, a planner that thinks of few pieces and many events reads the whole log.
ranges cross join lateral (
    select * from acta.events where seq >= first_seq and seq < end_seq offset 0
)

-- name: records
-- The sealed events after a position, in order: as many as fit into a number of bytes, and at least one.
with ranges as materialized ({ranges}), sized as (
    select
        event.seq + shift as position, event.*,
        sum(coalesce(pg_column_size(payload), 0)) over (order by event.seq + shift)
            - coalesce(pg_column_size(payload), 0) as bytes_before
    from {events} event
)
select position, seq, at, topic, collection, item, actor, request, context, payload::text, meta
from sized
where bytes_before <= %(bytes)s
order by position;

-- name: tell_of
-- Whether any event at the positions after one tells of a collection.
with ranges as materialized ({ranges})
select exists (
    select from {events} event
    where event.collection = %(collection)s
);

-- name: last_position
-- The highest position given out so far.
select coalesce(max(last_position), 0) from acta.seals;

-- name: position_of
-- The position of an event; no row while it is not sealed.
select seal.first_position + coalesce((
    select sum(least(upper(piece), %(seq)s) - lower(piece))
    from unnest(seal.members) piece where lower(piece) < %(seq)s
), 0)::bigint
from acta.seals seal
where seal.members @> %(seq)s::bigint;

-- name: sealed_at
-- The last position sealed at a moment, and the last one of the batch that was sealed next.
select coalesce((select last_position from acta.seals where at <= %(moment)s order by at desc, id desc limit 1), 0),
    coalesce((
        select max(last_position) from acta.seals
        where at = (select min(at) from acta.seals where at > %(moment)s)
    ), 0);

-- name: begun_at
-- The last of some positions up to which all transactions had begun at a moment, and none goes on.
with ranges as materialized ({ranges}), told as (
    select event.seq + shift as position, event.at, max(event.seq + shift) over (partition by event.xid) as end_position
    from {events} event
), before as (
    select position, max(at) over up_to as latest, max(end_position) over up_to as reach
    from told window up_to as (order by position rows unbounded preceding)
)
select coalesce(max(position), %(after)s::bigint) from before where latest <= %(moment)s and reach = position;

-- name: exists
-- Whether there is a log at all.
select to_regclass('acta.seals') is not null;
