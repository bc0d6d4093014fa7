-- name: begin
-- Ask for a range of the log to be sent once more, to its end where no last position is given.
insert into acta.webhook_replays (webhook, collection, first_position, last_position, position)
select %(webhook)s, %(collection)s, %(first)s, least(coalesce(%(last)s, head.position), head.position), %(first)s - 1
from (select coalesce(max(last_position), 0) as position from acta.seals) head
returning id, collection, first_position, last_position, position, noted, created_at, finished_at;

-- name: list
-- The replays of a webhook, newest first.
select id, collection, first_position, last_position, position, noted, created_at, finished_at
from acta.webhook_replays where webhook = %(webhook)s order by id desc limit %(limit)s;

-- name: hold
-- A replay that is not over, its until the transaction ends.
select webhook, collection, last_position, position from acta.webhook_replays
where id = %(replay)s and finished_at is null for update skip locked;

-- name: move
-- How far a replay is.
update acta.webhook_replays
set position = %(position)s, noted = noted + %(noted)s,
    finished_at = case when %(over)s then now() end
where id = %(replay)s;
