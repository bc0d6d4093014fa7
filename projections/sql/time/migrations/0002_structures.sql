-- The structure of the user's tables as the log knows it, so that what others do to it can be told.
create table acta.structures (
    place text primary key,
    oid oid not null,
    collection text not null,
    mark text not null,
    columns jsonb not null,
    definition jsonb not null,
    adopted boolean not null,
    seq bigint not null
);
comment on table acta.structures is 'Tables as they were when last looked at; columns by number, seq of the log then';
