-- name: last_of_request
-- The last sealed event of a request. Without an index of its own, so that writing stays cheap: the log is read once.
select max(event.seq) from acta.events event where event.request = %(request)s;

-- name: first_sealed
-- When the first event was sealed.
select min(at) from acta.seals where last_position > 0;

-- name: seal_of
-- The seal that a position stands in: its first position and its members.
select id, first_position, last_position from acta.seals
where last_position >= %(position)s order by last_position limit 1;

-- name: upto
-- The highest seq among the events at positions up to one.
with pieces as (
    select lower(piece) as first_seq, upper(piece) as end_seq,
        first_position + coalesce(sum(upper(piece) - lower(piece)) over (
            partition by id order by lower(piece) rows between unbounded preceding and 1 preceding
        ), 0)::bigint as first_position
    from acta.seals, unnest(members) piece
    where id = %(id)s
), inside as (
    select max(least(end_seq, first_seq + %(position)s::bigint + 1 - first_position)) - 1 as seq
    from pieces where first_position <= %(position)s
)
select greatest(
    (select seq from inside),
    (select max(upper(members)) - 1 from acta.seals where id < %(id)s and upper(members) > (select seq from inside))
);

-- name: later
-- Of the seqs up to one, those whose positions come later: of transactions that were slower than others.
with pieces as (
    select seal.id, piece, seal.first_position + coalesce(sum(upper(piece) - lower(piece)) over (
            partition by seal.id order by lower(piece) rows between unbounded preceding and 1 preceding
        ), 0)::bigint as first_position
    from acta.seals seal, unnest(seal.members) piece
    where seal.id >= %(id)s and seal.members && int8multirange(int8range(0, %(upto)s::bigint + 1))
), after as (
    select int8range(greatest(lower(piece), lower(piece) + %(position)s::bigint + 1 - first_position), upper(piece)) as piece
    from pieces where first_position + upper(piece) - lower(piece) > %(position)s::bigint + 1
), unsealed as (
    select int8multirange(int8range(last.floor + 1, greatest(%(upto)s, last.floor) + 1)) - coalesce((
        select range_agg(seal.members) from acta.seals seal
        where seal.members && int8multirange(int8range(last.floor + 1, greatest(%(upto)s, last.floor) + 1))
    ), '{}') as seqs
    from (select floor from acta.seals order by id desc limit 1) last
)
select (
    (coalesce((select range_agg(piece) from after), '{}') + coalesce((select seqs from unsealed), '{}'))
    * int8multirange(int8range(0, %(upto)s::bigint + 1))
)::text;
