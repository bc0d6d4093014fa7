-- The collections whose rows are kept with the positions they were valid at, in tables acta.history_<number>. Derived
-- from the log, may be dropped at any time.
create table acta.histories (
    number int generated always as identity primary key,
    collection text not null unique,
    fingerprint text not null
);
comment on table acta.histories is 'Collections whose past rows are kept, for reading as of a moment';
