-- All columns as CSV, the moment written as the servers write it.
copy (
    select
        id, sensor, to_char(taken_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as taken_at, value, note
    from readings order by id
) to stdout with (format csv, header);
