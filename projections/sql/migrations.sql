-- name: lock
-- One process at a time prepares; the others wait and then find the work done.
select pg_advisory_xact_lock(%(key)s);

-- name: create_room
-- The schema and the list of applied migrations.
create schema if not exists acta;
create table if not exists acta.migrations (
    room text not null,
    number int not null,
    name text not null,
    applied_at timestamptz not null default now(),
    primary key (room, number)
);

-- name: exists
-- Whether the list of applied migrations is there (creating it needs rights that a plain start does not).
select to_regclass('acta.migrations') is not null;

-- name: encoding
-- The encoding of the database; digests are taken over UTF-8 texts.
select current_setting('server_encoding');

-- name: applied
-- The numbers of a room's migrations that have been applied.
select number from acta.migrations where room = %(room)s order by number;

-- name: record
-- Note a migration as applied.
insert into acta.migrations (room, number, name) values (%(room)s, %(number)s, %(name)s);
