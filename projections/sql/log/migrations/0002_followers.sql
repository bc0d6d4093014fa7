-- What operators may want of a follower (pause, rewind), what stops it, and the events it could not handle.

alter table acta.cursors
    add column reached bigint not null default 0,
    add column rewinds int not null default 0,
    add column paused boolean not null default false,
    add column failures int not null default 0,
    add column error text,
    add column failed_at timestamptz;
comment on column acta.cursors.reached is
    'The highest position ever done; effects outside the database are not repeated up to it';
comment on column acta.cursors.rewinds is 'How often the position was set back or forth by hand';
update acta.cursors set reached = position;

create table acta.parked (
    follower text not null references acta.cursors (name) on delete cascade,
    position bigint not null,
    seq bigint not null,
    error text not null,
    at timestamptz not null default now(),
    primary key (follower, position)
);
comment on table acta.parked is 'Events that a follower could not handle and went on without';
