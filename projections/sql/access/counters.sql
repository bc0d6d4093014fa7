-- Counted attempts.

-- name: count
-- Count one attempt; how many there are in the current span, and the seconds until it ends. Without a length it never does.
insert into acta.counters as c (name, points, ends)
values (%(name)s, 1, now() + make_interval(secs => %(seconds)s))
on conflict (name) do update
set points = case when c.ends <= now() then 1 else c.points + 1 end,
    ends = case when c.ends <= now() then excluded.ends else c.ends end
returning points, extract(epoch from ends - now());

-- name: forget
-- Begin anew.
delete from acta.counters where name = %(name)s;

-- name: purge
-- Drop spans that are over.
delete from acta.counters where ends <= now();

-- name: end
-- Let a span without an end come to one.
update acta.counters set ends = now() + make_interval(secs => %(seconds)s) where name = %(name)s and ends is null;
