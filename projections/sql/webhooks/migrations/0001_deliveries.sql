-- Events on their way to webhooks, one row for each webhook and event. What is sent is made of the log when it is
-- sent, so that what was erased from the log is erased here too.

create table acta.deliveries (
    id bigint generated always as identity primary key,
    webhook int not null,
    position bigint not null,
    round int not null,
    seq bigint not null,
    collection text not null,
    item text not null,
    action text not null,
    status text not null check (status in ('waiting', 'blocked', 'delivered', 'dead')),
    attempts int not null default 0,
    failures int not null default 0,
    next_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    log jsonb not null default '[]',
    unique (webhook, position, round)
) with (fillfactor = 80);
comment on table acta.deliveries is 'Events on their way to webhooks';
comment on column acta.deliveries.round is
    'Of the follower the number of its rewinds, of a replay its id below zero';
comment on column acta.deliveries.status is
    'Of the open deliveries of an item only the oldest is waiting, the others are blocked by it';
comment on column acta.deliveries.log is 'What came of each attempt';
create index deliveries_due on acta.deliveries (webhook, next_at) where status = 'waiting';
create index deliveries_open on acta.deliveries (webhook, collection, item, id)
    where status in ('waiting', 'blocked');

create table acta.webhook_replays (
    id int generated always as identity primary key,
    webhook int not null,
    collection text,
    first_position bigint not null,
    last_position bigint not null,
    position bigint not null,
    noted bigint not null default 0,
    created_at timestamptz not null default now(),
    finished_at timestamptz
);
comment on table acta.webhook_replays is 'Ranges of the log that a webhook is sent once more';
create index webhook_replays_open on acta.webhook_replays (id) where finished_at is null;
