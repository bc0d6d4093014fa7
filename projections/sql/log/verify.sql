-- name: begin
-- One moment of the log for all statements, and for all connections that share its snapshot.
begin transaction isolation level repeatable read read only;

-- name: share
-- The name under which other connections take the same snapshot.
select pg_export_snapshot();

-- name: seals
-- The next seals, without what is in them.
select id, first_position, last_position, previous, root from acta.seals
where id > %(after)s order by id limit %(limit)s;

-- name: check
-- Digest the events of some seals anew. Gives for each the root that follows, whether it is the one noted, and
-- whether the noted leaves are those of its events.
with sealed as materialized (
    select *, convert_to(json_build_array(
        id, first_position, last_position, members, floor, snapshot, system_identifier, at
    )::text, 'UTF8') as header
    from acta.seals where id between %(first)s and %(last)s
), pieces as materialized (
    select id, lower(piece) as first_seq, upper(piece) as end_seq from sealed, unnest(members) piece
), digested as materialized (
    select pieces.id, event.seq, {leaf} as leaf
    from pieces
    join acta.events event on event.seq >= first_seq and event.seq < end_seq
    {redactions}
    {archived}
), bodies as (
    select
        id,
        sha256(string_agg(leaf, ''::bytea order by seq)) as body,
        string_agg(substr(leaf, 1, 8), ''::bytea order by seq) as leaves
    from digested group by id
)
select
    sealed.id,
    sha256(sealed.previous || coalesce(body, sha256('')) || header) = sealed.root,
    coalesce(bodies.leaves, '') = sealed.leaves
from sealed left join bodies using (id)
order by sealed.id;

-- name: redactions
-- The digests that redacted events had when they were sealed: as the first redaction of each noted them.
left join lateral (
    select noted.payload ->> 'payload_before' as payload, noted.payload ->> 'meta_before' as meta
    from acta.events noted
    where noted.topic = 'log.redacted' and (noted.payload ->> 'seq')::bigint = event.seq
    order by noted.seq limit 1
) redacted on true

-- name: has_redactions
-- Whether anything was ever redacted.
select exists (select from acta.events where topic = 'log.redacted');

-- name: payload_digest
-- The payload's part of a leaf, as it was sealed; null stays null.
case when redacted is null then {digest} else redacted.payload end

-- name: meta_digest
-- The meta's part of a leaf, as it was sealed.
case when redacted is null then {digest} else redacted.meta end

-- name: changed_redactions
-- Redacted events that are no longer what their last redaction made of them.
select event.seq from (
    select distinct on ((noted.payload ->> 'seq')::bigint)
        (noted.payload ->> 'seq')::bigint as seq,
        noted.payload ->> 'payload_after' as payload, noted.payload ->> 'meta_after' as meta
    from acta.events noted where noted.topic = 'log.redacted'
    order by (noted.payload ->> 'seq')::bigint, noted.seq desc
) redacted
join acta.events event using (seq)
where ({payload} is distinct from redacted.payload or {meta} is distinct from redacted.meta)
  and not {ranges}::int8multirange @> event.seq
order by event.seq;

-- name: members
-- What a seal says it holds: its pieces, and the beginning of each event's digest in their order.
select
    (select coalesce(array_agg(array[lower(piece), upper(piece)] order by lower(piece)), '{{}}')
     from unnest(members) piece),
    leaves
from acta.seals where id = %(id)s;

-- name: leaves
-- The digests that the events of a seal have now.
select event.seq, substr({leaf}, 1, 8)
from (select unnest(members) as piece from acta.seals where id = %(id)s) pieces
join acta.events event on event.seq >= lower(piece) and event.seq < upper(piece)
{redactions}
{archived}
order by seq;

-- name: archived
-- Where a part of the log lies in files, the digests of those stand for it.
where not {ranges}::int8multirange @> event.seq
union all
select pieces.id, leaves.seq, leaves.leaf
from pieces join "acta leaves" leaves on leaves.seq >= first_seq and leaves.seq < end_seq

-- name: archived_leaves
-- The same, for the events of one seal.
where not {ranges}::int8multirange @> event.seq
union all
select leaves.seq, substr(leaves.leaf, 1, 8)
from (select unnest(members) as piece from acta.seals where id = %(id)s) pieces
join "acta leaves" leaves on leaves.seq >= lower(piece) and leaves.seq < upper(piece)

-- name: never_sealed
-- The first event that was there, or came from elsewhere, when the last seal was made, and is in none; with the
-- position that the next event after it has.
with sealed as materialized (
    select coalesce(range_agg(members), '{{}}') as members from acta.seals
), last as materialized (
    select * from acta.seals order by id desc limit 1
), gaps as materialized (
    select unnest('{{(,)}}'::int8multirange - members) as gap from sealed
), found as materialized (
    select min(event.seq) as seq
    from last, gaps
    join acta.events event
        on event.seq >= coalesce(lower(gap), 0) and event.seq < coalesce(upper(gap), 9223372036854775807)
    where event.seq <= last.floor
       or (not %(foreign)s and pg_visible_in_snapshot(event.xid, last.snapshot))
), following as (
    select found.seq, lower(sealed.members * int8multirange(int8range(found.seq, null))) as next
    from found, sealed where found.seq is not null
)
select
    following.seq,
    coalesce((
        select seal.first_position + coalesce((
            select sum(least(upper(piece), next) - lower(piece))
            from unnest(seal.members) piece where lower(piece) < next
        ), 0)::bigint
        from acta.seals seal where seal.members @> next
        order by 1 limit 1
    ), last.last_position + 1)
from following, last;

-- name: cursors
-- The follower that has been farthest.
select name, position from acta.cursors order by position desc, name limit 1;
