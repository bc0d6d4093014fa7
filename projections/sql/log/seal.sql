-- name: try_lock
-- Become the only sealer, for as long as the session lives.
select pg_try_advisory_lock(%(key)s);

-- name: try_transaction_lock
-- Become the only sealer until the transaction ends.
select pg_try_advisory_xact_lock(%(key)s);

-- name: configure
-- Plans are made for the values at hand (a generic one would scan), and a vanished host loses its lock soon.
select
    set_config('plan_cache_mode', 'force_custom_plan', %(local)s),
    set_config('tcp_keepalives_idle', '10', %(local)s),
    set_config('tcp_keepalives_interval', '5', %(local)s),
    set_config('tcp_keepalives_count', '3', %(local)s);

-- name: last
-- The last seal, none in a new log; the cluster this is; whether there are events; the highest seq drawn.
select
    seal.id, seal.last_position, seal.floor, seal.snapshot::text, seal.system_identifier, seal.root,
    cluster.system_identifier,
    (select case when is_called then last_value else last_value - 1 end from acta.events_seq_seq)
from pg_catalog.pg_control_system() cluster
left join lateral (select * from acta.seals order by id desc limit 1) seal on true;

-- name: lock_events
-- Wait for all writers and keep new ones out until the transaction ends.
lock table acta.events in share row exclusive mode;

-- name: leaf
-- The digest of one event: of a JSON array of its columns, payload and meta as digests themselves, so that
-- either can be erased while the leaf stays provable.
sha256(convert_to(json_build_array(
    event.seq, event.xid, event.at, event.topic, event.collection, event.item,
    event.actor, event.request, event.context, {payload}, {meta}
)::text, 'UTF8'))

-- name: payload_digest
-- The payload's part of a leaf.
encode(sha256(convert_to(event.payload::text, 'UTF8')), 'hex')

-- name: meta_digest
-- The meta's part of a leaf.
encode(sha256(convert_to(event.meta::text, 'UTF8')), 'hex')

-- name: finished_since
-- Events of transactions that were running at, or began after, the last seal's snapshot. This statement's own
-- snapshot, which becomes the next seal's, shows those of them that have committed by now.
event.seq > %(floor)s and (event.xid = any(%(running)s::xid8[]) or event.xid >= %(next_xid)s::xid8)

-- name: never_sealed
-- Events that no seal has, whatever their transaction: for a log that came from another cluster. What was before the
-- first position stays there.
event.seq >= 0 and not (select coalesce(range_agg(members), '{{}}') @> event.seq from acta.seals)

-- name: seal
-- Give the next positions to all events of a choice, in the order of seq, and extend the chain by a seal for
-- each portion of them. Gives one row per new seal, or one without an id.
with recursive moment as materialized (
    select pg_current_snapshot() as snapshot, clock_timestamp() as at
), numbered as (
    select
        event.seq,
        {leaf} as leaf,
        (row_number() over (order by event.seq) - 1) / %(portion)s::int as portion
    from acta.events event
    where {choice}
), portions as (
    select
        portion,
        count(*) as events,
        range_agg(int8range(seq, seq + 1)) as members,
        sha256(string_agg(leaf, ''::bytea order by seq)) as body,
        string_agg(substr(leaf, 1, 8), ''::bytea order by seq) as leaves
    from numbered group by portion
), filled as materialized (
    select * from portions
    union all
    select 0, 0, '{{}}', sha256(''), '' where %(even_empty)s and not exists (select from portions)
), positioned as materialized (
    select
        portion,
        %(id)s::bigint + portion + 1 as id,
        %(last_position)s::bigint + portion * %(portion)s + 1 as first_position,
        %(last_position)s::bigint + portion * %(portion)s + events as last_position,
        members, leaves, body, snapshot, at
    from filled, moment
), headed as materialized (
    select
        *,
        convert_to(json_build_array(
            id, first_position, last_position, members, %(floor)s::bigint, snapshot,
            %(system_identifier)s::bigint, at
        )::text, 'UTF8') as header
    from positioned
), chain as (
    select portion, %(root)s::bytea as previous, sha256(%(root)s::bytea || body || header) as root
    from headed where portion = 0
    union all
    select headed.portion, chain.root, sha256(chain.root || body || header)
    from chain join headed on headed.portion = chain.portion + 1
), made as (
    insert into acta.seals (
        id, first_position, last_position, members, leaves, floor, snapshot, system_identifier, at, previous, root
    )
    select
        id, first_position, last_position, members, leaves, %(floor)s, snapshot, %(system_identifier)s, at,
        previous, root
    from headed join chain using (portion)
    order by id
    returning id, last_position, root
), moved as (
    insert into acta.cursors as cursor (name, position)
    select 'seal', max(last_position) from made having count(*) > 0
    on conflict (name) do update set position = excluded.position, moved_at = now()
    returning pg_notify('acta_sealed', cursor.position::text)
)
select
    made.id, made.last_position, made.root, moment.snapshot::text,
    (select case when is_called then last_value else last_value - 1 end from acta.events_seq_seq),
    pg_current_xact_id_if_assigned()::text
from moment left join made on true
order by made.id;
