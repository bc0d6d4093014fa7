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
-- A new session.
insert into acta.directus_sessions (token, "user", share, expires, ip, user_agent, origin)
values (%(token)s, %(user)s, %(share)s, now() + make_interval(secs => %(seconds)s), %(ip)s, %(user_agent)s, %(origin)s);

-- name: rotate
-- Give a session a new token and a new end; no row when another refresh was quicker, or it has a successor.
with rotated as (
    update acta.directus_sessions
    set token = %(next)s, expires = now() + make_interval(secs => %(seconds)s),
        ip = %(ip)s, user_agent = %(user_agent)s, origin = %(origin)s
    where token = %(token)s and expires >= now() and next_token is null
    returning expires
)
insert into acta.spent_tokens (token, successor, ends) select %(token)s, %(next)s, r.expires from rotated as r
returning token;

-- name: succeed
-- The successor of a session; it may be there already, when the session is carried on twice.
insert into acta.directus_sessions (token, "user", share, expires, ip, user_agent, origin)
values (%(next)s, %(user)s, %(share)s, now() + make_interval(secs => %(seconds)s), %(ip)s, %(user_agent)s, %(origin)s)
on conflict (token) do nothing;

-- name: hold
-- The successor that a session has, with the session locked.
select s.next_token from acta.directus_sessions s where s.token = %(token)s and s.expires >= now() for update;

-- name: spend
-- Mark the successor of a session, which itself ends soon.
with spent as (
    update acta.directus_sessions
    set next_token = %(next)s, expires = now() + make_interval(secs => %(grace)s)
    where token = %(token)s
)
insert into acta.spent_tokens (token, successor, ends)
values (%(token)s, %(next)s, now() + make_interval(secs => %(seconds)s));

-- name: hold_family
-- Wait for whoever carries a session on, or one that it came of or that came of it.
select from acta.directus_sessions d
where d.token in (select f.token from acta.session_family_v1(%(token)s) as f (token))
for update;

-- name: finish
-- End a session with those that it came of and that came of it: any of them would bring it back.
delete from acta.directus_sessions d
where d.token in (select f.token from acta.session_family_v1(%(token)s) as f (token))
returning d."user";

-- name: reused
-- End what came of a refresh token used long enough ago; a token sent twice at once is no theft.
delete from acta.directus_sessions d
using acta.spent_tokens s cross join lateral acta.session_family_v1(s.token) as f (token)
where s.token = %(token)s and s.spent_at < now() - make_interval(secs => %(grace)s) and d.token = f.token
returning d."user";

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

-- name: hold_user
-- Wait for whoever carries a session of a user on.
select from acta.directus_sessions d where d."user" = %(user)s for update;

-- name: revoke
-- End sessions of a user: the one with an id, with those that belong to it; or all but the caller's own.
delete from acta.directus_sessions d
where d."user" = %(user)s and case when %(id)s::text is null then d.token is distinct from %(keep)s else d.token in (
    select f.token
    from acta.directus_sessions s cross join lateral acta.session_family_v1(s.token) as f (token)
    where s."user" = %(user)s and left(s.token, 32) = %(id)s
) end
returning d.token;
