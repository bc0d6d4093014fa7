-- name: lock_originator
-- One append at a time per originator, as the version it expects is counted and not stored.
select pg_advisory_xact_lock(%(room)s, hashtext(%(originator)s));

-- name: count_events
-- How many events an originator has.
select count(*) as events from acta.events
where collection = %(collection)s
  and case when %(item)s::text is null then item is null else item = %(item)s end;

-- name: insert
-- Append stored events: states of our own shape into their columns, opaque ones (compressed, enciphered) as a
-- text in the payload.
insert into acta.events (topic, collection, item, at, actor, request, context, payload, meta)
select topic, collection, item, coalesce(at, now()), actor, request, context, payload, meta
from rows from (
    jsonb_to_recordset(%(events)s::jsonb) as (
        topic text, collection text, item text, at timestamptz, actor uuid, request uuid, context int,
        payload jsonb, meta jsonb
    )
) with ordinality as given (topic, collection, item, at, actor, request, context, payload, meta, nth)
order by nth
returning seq;

-- name: state
-- The state of a stored event, the opposite of what `insert` does.
case when jsonb_typeof(event.payload) = 'string' then decode(event.payload #>> '{{}}', 'base64')
else convert_to(json_build_object(
    'at', event.at, 'actor', event.actor, 'request', event.request, 'context', event.context,
    'payload', event.payload, 'meta', event.meta
)::text, 'UTF8') end

-- name: select_events
-- The events of one originator with their versions, which are dense and follow seq.
select * from (
    select
        {first_version} - 1 + row_number() over (order by seq) as originator_version,
        topic, {state} as state
    from acta.events event
    where collection = %(collection)s
      and case when %(item)s::text is null then item is null else item = %(item)s end
) versioned
where (%(gt)s::bigint is null or originator_version > %(gt)s)
  and (%(lte)s::bigint is null or originator_version <= %(lte)s)
order by originator_version {direction}
limit %(limit)s;

-- name: notifications
-- The sealed events after a position with the versions they have; versions are counted once per originator.
with ranges as materialized ({ranges}), found as materialized (
    select event.*, event.seq + shift as position, {state} as state
    from {events} event
    where event.seq + shift <= %(stop)s
), firsts as materialized (
    select collection, item, min(seq) as seq from found group by collection, item
), earlier as materialized (
    select first.collection, first.item, (
        case when first.item is null then (
            select count(*) from acta.events event
            where event.collection = first.collection and event.item is null and event.seq < first.seq
        ) else (
            select count(*) from acta.events event
            where event.collection = first.collection and event.item = first.item and event.seq < first.seq
        ) end
    ) as events
    from firsts first
), versioned as (
    select found.*, {first_version} - 1 + earlier.events + row_number() over (
        partition by found.collection, found.item order by found.seq
    ) as originator_version
    from found join earlier
        on earlier.collection is not distinct from found.collection
        and earlier.item is not distinct from found.item
)
select position, originator_version, collection, item, topic, state
from versioned
where cardinality(%(topics)s::text[]) = 0 or topic = any(%(topics)s)
order by position;

-- name: positions
-- The positions of events by seq, in order; fewer rows while some are not sealed.
select seal.first_position + coalesce((
    select sum(least(upper(piece), wanted.seq) - lower(piece))
    from unnest(seal.members) piece where lower(piece) < wanted.seq
), 0)::bigint as position
from unnest(%(seqs)s::bigint[]) wanted (seq)
join acta.seals seal on seal.members @> wanted.seq
order by wanted.seq;
