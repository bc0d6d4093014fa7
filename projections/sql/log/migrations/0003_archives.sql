-- Closed partitions of the log that lie in files of an object storage. In their place stands what the present rests on: the
-- events of the model, the last event of items that are gone, and one row for each item that was there at the end of the
-- partition, with its whole state (topic item.adopted, meta {"archived": true}, the seq of its last event).

create table acta.archives (
    number int primary key,
    first_seq bigint not null,
    end_seq bigint not null,
    last_seq bigint not null,
    position bigint not null,
    last_at timestamptz not null,
    location text not null,
    prefix text not null,
    events bigint not null,
    table_bytes bigint not null,
    state text not null check (state in ('writing', 'archived', 'recalled')),
    at timestamptz not null default now()
);
comment on table acta.archives is 'Partitions of the log that lie in files';

create table acta.archive_files (
    number int not null references acta.archives (number) on delete cascade,
    nth int not null,
    path text not null,
    sha256 text not null,
    events int not null,
    bytes bigint not null,
    first_key text collate "C" not null,
    last_key text collate "C" not null,
    primary key (number, nth)
);
comment on table acta.archive_files is 'The files of an archive: the events of the items whose keys lie between two';

create table acta.archive_items (
    collection text not null,
    item text not null,
    primary key (collection, item)
);
comment on table acta.archive_items is 'Items whose archived events were brought back';

-- What happened up to an event can be told only when the partition it stands in is there.
create function acta.require_present_v1(upto bigint, later int8multirange) returns boolean
language plpgsql stable parallel safe as $$
declare
    missing bigint;
begin
    select a.position into missing from acta.archives as a
    where a.state = 'archived'
      and ((a.first_seq <= upto and upto < a.last_seq) or later && int8range(a.first_seq, a.last_seq + 1))
    order by a.position desc limit 1;
    if found then
        raise exception 'The log up to position % is archived: "acta log recall" brings it back', missing
            using errcode = 'AC001';
    end if;
    return true;
end
$$;
