-- Sessions of signed-in users. Tokens are stored as SHA-256 only.

-- name: user_for_login
-- The user who signs in with an e-mail address.
select u.id, u.role, u.status, u.provider, u.password, u.tfa_secret
from acta.directus_users u
where lower(u.email) = lower(%(email)s);

-- name: alive
-- Whether a session has not ended.
select 1 from acta.directus_sessions s where s.token = %(token)s and s.expires >= now();

-- name: of_refresh
-- The session behind a refresh token, with its user.
select s."user", s.next_token, u.role, u.status, s.expires
from acta.directus_sessions s
left join acta.directus_users u on u.id = s."user"
where s.token = %(token)s and s.expires >= now();

-- name: purge
-- Drop every session that has ended.
delete from acta.directus_sessions s where s.expires < now();

-- name: begin
-- A new session; one that is there already (a refresh sent twice) stays.
insert into acta.directus_sessions (token, "user", expires, ip, user_agent, origin)
values (%(token)s, %(user)s, now() + make_interval(secs => %(seconds)s), %(ip)s, %(user_agent)s, %(origin)s)
on conflict (token) do nothing;

-- name: rotate
-- Give a session a new token and a new end; no row when another refresh was quicker.
update acta.directus_sessions
set token = %(next)s, expires = now() + make_interval(secs => %(seconds)s),
    ip = %(ip)s, user_agent = %(user_agent)s, origin = %(origin)s
where token = %(token)s and expires >= now()
returning "user";

-- name: succeed
-- Mark the successor of a session and let the session end soon; the first successor stays.
update acta.directus_sessions
set next_token = %(next)s, expires = now() + make_interval(secs => %(seconds)s)
where token = %(token)s and next_token is null;

-- name: finish
-- End one session of a user.
delete from acta.directus_sessions s where s.token = %(token)s returning s."user";

-- name: finish_all
-- End all sessions of users, except one.
delete from acta.directus_sessions s where s."user" = any(%(users)s) and s.token is distinct from %(keep)s;
