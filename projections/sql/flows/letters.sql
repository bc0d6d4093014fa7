-- name: take
-- A letter to be sent.
insert into acta.flow_letters (reader, subject, template, variables, html)
values (%(reader)s, %(subject)s, %(template)s, %(variables)s, %(html)s);

-- name: due
-- Letters whose time has come, the oldest first; how long ago each was written, in seconds.
select id, reader, subject, template, variables, html, attempts,
    extract(epoch from now() - created)::float8
from acta.flow_letters where due <= now() order by due, id limit %(limit)s;

-- name: done
-- A letter is sent or given up.
delete from acta.flow_letters where id = %(id)s;

-- name: later
-- A letter is tried again in so many seconds.
update acta.flow_letters set attempts = attempts + 1, due = now() + make_interval(secs => %(pause)s)
where id = %(id)s;
