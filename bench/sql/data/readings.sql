-- A long, narrow table for the export.
create table readings (
    id serial primary key,
    sensor varchar(20) not null,
    taken_at timestamptz not null,
    value double precision not null,
    note text
);

insert into readings (sensor, taken_at, value, note)
select
    'sensor-' || n % 50,
    timestamptz '2023-01-01 00:00:00+00' + n * interval '13 seconds',
    n % 1000 / 8.0,
    'Reading number ' || n
from generate_series(1, 1000000) as n;
