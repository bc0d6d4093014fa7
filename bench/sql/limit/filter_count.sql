-- One row, and how many fit the filter: no index on the column, so a scan.
\set floor random(1, 100000)
select json_build_object(
    'meta', json_build_object('filter_count', (select count(*) from articles where views >= :floor)),
    'data', (
        select coalesce(json_agg(json_build_object('id', first.id)), '[]')
        from (select id from articles where views >= :floor order by id limit 1) as first
    )
);
