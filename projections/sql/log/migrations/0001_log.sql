-- The log: events, the contexts they came from, seals, snapshots and the followers' positions.

create table acta.requests (
    id int generated always as identity primary key,
    ip text,
    user_agent text,
    origin text,
    unique nulls not distinct (ip, user_agent, origin)
);
comment on table acta.requests is 'Distinct contexts that commands came from';

-- xid stands first on purpose: defaults are evaluated in this order, so a transaction has its id before it
-- draws a seq. The floor of a seal (projections/log/seal.py) rests on that.
create table acta.events (
    xid xid8 not null default pg_current_xact_id(),
    seq bigint generated always as identity,
    at timestamptz not null default now(),
    topic text not null,
    collection text,
    item text,
    actor uuid,
    request uuid,
    context int,
    payload jsonb,
    meta jsonb,
    primary key (seq)
) partition by range (seq);
comment on table acta.events is 'Everything that ever happened; append-only';

create unique index events_item on acta.events (collection, item, seq);
create index events_xid on acta.events (xid);
create index events_at on acta.events (at);
create index events_redacted on acta.events (seq) where topic = 'log.redacted';

-- Against accidents; tampering on purpose is what the seals are for.
create function acta.refuse_change_v1() returns trigger language plpgsql as $$
begin
    if coalesce(current_setting('acta.redacting', true), '') = 'on' then
        return null;
    end if;
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end
$$;
create trigger append_only before update or delete or truncate on acta.events
    for each statement execute function acta.refuse_change_v1();

create table acta.seals (
    id bigint primary key,
    first_position bigint not null,
    last_position bigint not null,
    members int8multirange not null,
    leaves bytea not null,
    floor bigint not null,
    snapshot pg_snapshot not null,
    system_identifier bigint not null,
    at timestamptz not null,
    previous bytea not null,
    root bytea not null,
    -- The first seal of an epoch may hold nothing but the snapshot that the next one starts from.
    check (first_position <= last_position + 1)
);
comment on table acta.seals is 'Positions of finished events and the hash chain over them';
-- Digests don't compress.
alter table acta.seals alter column leaves set storage external;
create index seals_last_position on acta.seals (last_position);
create index seals_members on acta.seals using gist (members);
create index seals_at on acta.seals (at);

create table acta.snapshots (
    collection text not null,
    item text not null,
    seq bigint not null,
    state jsonb not null,
    primary key (collection, item, seq)
);
comment on table acta.snapshots is 'States of items with long histories; derived, may be emptied';

create table acta.cursors (
    name text primary key,
    position bigint not null default 0,
    lsn pg_lsn,
    moved_at timestamptz not null default now()
);
comment on table acta.cursors is 'How far each follower has come';

-- Merges the payloads of one item, in order of seq, into its state.
create aggregate acta.fold(jsonb) (sfunc = jsonb_concat, stype = jsonb, initcond = '{}', parallel = safe);
