-- An item is back from some archives, and away in those made since.
drop table acta.archive_items;
create table acta.archive_items (
    number int not null references acta.archives (number) on delete cascade,
    collection text not null,
    item text not null,
    primary key (number, collection, item)
);
comment on table acta.archive_items is 'Items whose events of an archive were brought back';
