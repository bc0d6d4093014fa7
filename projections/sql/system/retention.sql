-- name: forget
-- Show everything again.
delete from acta.retention;

-- name: keep
-- Show what is younger.
insert into acta.retention (what, keep) values (%(what)s, make_interval(secs => %(seconds)s));
