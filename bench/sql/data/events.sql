-- The event log as Acta keeps it, for the write limits; in a schema of the benchmark's own.
create schema limits;

create table limits.events (
    seq bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id(),
    at timestamptz not null default now(),
    topic text not null,
    collection text not null,
    item text not null,
    actor uuid,
    request uuid,
    context int,
    payload jsonb,
    meta jsonb,
    primary key (seq)
) partition by range (seq);

create table limits.events_1 partition of limits.events for values from (1) to (100000000);

create index on limits.events (collection, item, seq);
create index on limits.events (xid);
create index on limits.events (at);
-- The body of the bulk case, so that its limit can read it without sending it.
create table limits.batches (body json not null);
