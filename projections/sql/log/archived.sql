-- name: require
-- Refuses what can't be told without an archive.
select acta.require_present_v1(%(upto)s, %(later)s::int8multirange);

-- name: last
-- The highest position, seq and time that are archived; nulls for none.
select max(position), max(last_seq), max(last_at) from acta.archives where state = 'archived';

-- name: archives
-- What is archived, and from which position on.
select a.number, a.first_seq, a.last_seq,
       (select min(seal.first_position) from acta.seals as seal where seal.members && int8range(a.first_seq, a.last_seq + 1))
from acta.archives as a where a.state = 'archived' order by a.number;

-- name: make_arriving
-- Where the events of files arrive.
create temporary table if not exists "acta archived" (
    collection text, item text, seq bigint, xid xid8, at timestamptz, topic text, actor uuid, request uuid, context int,
    payload jsonb, meta jsonb
);

-- name: take
-- Events of a file.
copy {table} (collection, item, seq, xid, at, topic, actor, request, context, payload, meta) from stdin;

-- name: make_leaves
-- Where digests of archived events stand while the log is verified.
create temporary table if not exists "acta leaves" (seq bigint not null, leaf bytea not null);

-- name: digest
-- The digests of the events that arrived.
insert into "acta leaves" (seq, leaf) select event.seq, {leaf} from "acta archived" event {redactions};

-- name: index_leaves
-- They are found by seq.
create index on "acta leaves" (seq);

-- name: kept
-- The first event that is kept in the place of an archive and is not what the archive holds.
select event.seq
from acta.events event join "acta leaves" leaves on leaves.seq = event.seq {redactions}
where not coalesce(event.meta ? 'archived', false) and {leaf} <> leaves.leaf
order by event.seq limit 1;

-- name: drop
-- The digests are of no use to others.
drop table if exists "acta leaves", "acta archived";
