-- How far the adoption of each table that was there before Acta has come.
create table acta.adoptions (
    collection text primary key,
    last_key text[],
    rows bigint not null default 0,
    started_at timestamptz not null default now(),
    finished_at timestamptz
);
comment on table acta.adoptions is 'Baseline events written for tables that were there before Acta';
