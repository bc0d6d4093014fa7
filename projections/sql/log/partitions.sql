-- name: partitions
-- The numbers of the partitions there are, and the highest seq drawn so far.
select
    coalesce((
        select array_agg(substring(partition.relname from '^events_(\d+)$')::int)
        from pg_catalog.pg_inherits inherits
        join pg_catalog.pg_class partition on partition.oid = inherits.inhrelid
        where inherits.inhparent = 'acta.events'::regclass
    ), '{}'),
    (select last_value from acta.events_seq_seq);

-- name: create_partition
-- A table for the next range, first on its own: creating it as a partition would stop all writers.
create table {partition} (like acta.events including defaults including constraints including storage);

-- name: attach_partition
-- Make it a partition; this lock lets writers through.
alter table acta.events attach partition {partition} for values from ({first}) to ({end});
