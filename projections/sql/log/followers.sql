-- name: register
-- Note a follower that is new, at the position it begins after.
insert into acta.cursors (name, position) values (%(name)s, %(position)s) on conflict do nothing;

-- name: hold
-- A follower's position, locked until the transaction ends; no row while another process has it.
select position from acta.cursors where name = %(name)s for update skip locked;

-- name: move
-- Everything up to a position is done.
update acta.cursors set position = %(position)s, moved_at = now() where name = %(name)s;
