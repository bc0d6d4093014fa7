-- Sessions of signed-in users. Tokens are stored as SHA-256 only.

-- name: alive
-- Whether a session has not ended.
select 1 from acta.directus_sessions s where s.token = %(token)s and s.expires >= now();

-- name: of_refresh
-- The session behind a refresh token, with its user, or whether its share is open.
select s."user", s.share, u.role, u.status, u.provider,
    s.share is null or exists(
        select from acta.directus_shares h
        where h.id = s.share
            and (h.date_start is null or h.date_start <= now()) and (h.date_end is null or h.date_end >= now())
    )
from acta.directus_sessions s
left join acta.directus_users u on u.id = s."user"
where s.token = %(token)s and s.expires >= now();

-- name: purge
-- Drop every session that has ended.
delete from acta.directus_sessions s where s.expires < now();

-- name: begin
-- A new session; one that is there already (a refresh sent twice) stays.
insert into acta.directus_sessions (token, "user", share, expires, ip, user_agent, origin)
values (%(token)s, %(user)s, %(share)s, now() + make_interval(secs => %(seconds)s), %(ip)s, %(user_agent)s, %(origin)s)
on conflict (token) do nothing;

-- name: rotate
-- Give a session a new token and a new end; no row when another refresh was quicker.
with rotated as (
    update acta.directus_sessions
    set token = %(next)s, expires = now() + make_interval(secs => %(seconds)s),
        ip = %(ip)s, user_agent = %(user_agent)s, origin = %(origin)s
    where token = %(token)s and expires >= now()
    returning expires
)
insert into acta.spent_tokens (token, successor, ends) select %(token)s, %(next)s, r.expires from rotated as r
returning token;

-- name: succeed
-- Mark the successor of a session and let the session end soon; the first successor stays.
update acta.directus_sessions
set next_token = %(next)s, expires = now() + make_interval(secs => %(seconds)s)
where token = %(token)s and next_token is null;

-- name: finish
-- End one session of a user.
delete from acta.directus_sessions s where s.token = %(token)s returning s."user";

-- name: reused
-- End the session that came of a refresh token used long enough ago; a token sent twice at once is no theft.
with recursive chain (token) as (
    select s.successor from acta.spent_tokens s
    where s.token = %(token)s and s.spent_at < now() - make_interval(secs => %(grace)s)
    union
    select s.successor from acta.spent_tokens s join chain c on s.token = c.token
)
delete from acta.directus_sessions d using chain c where d.token = c.token returning d."user";

-- name: goes_on
-- Whether the login behind an access token has not ended: its session, or the one that came of it.
with recursive chain (token) as (
    select %(login)s::varchar(64)
    union
    select s.successor from acta.spent_tokens s join chain c on s.token = c.token
)
select 1 from acta.directus_sessions d join chain c on d.token = c.token where d.expires >= now();

-- name: purge_spent
-- Drop spent tokens of sessions that would have ended by now.
delete from acta.spent_tokens s where s.ends < now();

-- name: listed
-- The sessions of a user that go on, the latest first. Their ids are the beginnings of digests.
select left(s.token, 32), s.ip, s.user_agent, s.origin, s.expires, s.token
from acta.directus_sessions s
where s."user" = %(user)s and s.expires >= now() and s.next_token is null
order by s.expires desc, s.token;

-- name: revoke
-- End sessions of a user: the one with an id, or all but the caller's own.
delete from acta.directus_sessions s
where s."user" = %(user)s and (%(id)s::text is null or left(s.token, 32) = %(id)s)
    and (%(id)s::text is not null or s.token is distinct from %(keep)s)
returning s.token;
