-- What the guards of system collections look up, inside the transaction of the write.

-- name: any_admin
-- One active user with administrator access, whatever his address; none when there is no such user.
with recursive admins (role, "user") as (
    select a.role, a."user"
    from acta.directus_access a join acta.directus_policies p on p.id = a.policy
    where p.admin_access and (a.role is not null or a."user" is not null)
), heirs (role) as (
    select role from admins where role is not null
    union
    select r.id from acta.directus_roles r join heirs h on r.parent = h.role
)
select u.id
from acta.directus_users u
where u.status = 'active'
    and (u.id in (select "user" from admins where "user" is not null) or u.role in (select role from heirs))
limit 1;

-- name: same_email
-- The users with these addresses.
select v.email, u.id::text
from unnest(%(values)s::text[]) v (email) join acta.directus_users u on lower(u.email) = lower(v.email);

-- name: same_token
-- The users with these static tokens.
select u.token, u.id::text from acta.directus_users u where u.token = any(%(values)s);

-- name: password_policy
-- The pattern that new passwords have to match, if any; it is one for all.
select s.auth_password_policy from acta.directus_settings s where s.auth_password_policy is not null limit 1;

-- name: hold_sessions
-- Wait for whoever carries sessions of users on.
select from acta.directus_sessions s where s."user"::text = any(%(keys)s) for update;

-- name: end_sessions
-- End all sessions of users, and those of others except one.
delete from acta.directus_sessions s
where s."user"::text = any(%(keys)s)
   or (s."user"::text = any(%(others)s) and s.token is distinct from %(keep)s);

-- name: users_of_roles
-- The users who have one of these roles.
select u.id::text from acta.directus_users u where u.role::text = any(%(keys)s) order by u.id;

-- name: children_of_roles
-- The roles below these.
select r.id::text from acta.directus_roles r where r.parent::text = any(%(keys)s) order by r.id;

-- name: access_of_roles
-- The access rows of roles.
select a.id::text from acta.directus_access a where a.role::text = any(%(keys)s) order by a.id;

-- name: presets_of_roles
-- The presets of roles.
select p.id::text from acta.directus_presets p where p.role::text = any(%(keys)s) order by p.id;

-- name: circles
-- Which of some roles stand above themselves.
with recursive chain (role, parent) as (
    select r.id, r.parent from acta.directus_roles r where r.id::text = any(%(keys)s)
    union
    select c.role, r.parent from acta.directus_roles r join chain c on r.id = c.parent
)
select role::text from chain where role = parent;

-- name: traces_of_users
-- Rows that name users in columns which would keep them from being deleted, by collection and column.
select 'directus_comments', 'user_updated', array_agg(c.id::text order by c.id)
from acta.directus_comments c where c.user_updated::text = any(%(keys)s)
having count(*) > 0
union all
select 'directus_versions', 'user_updated', array_agg(v.id::text order by v.id)
from acta.directus_versions v where v.user_updated::text = any(%(keys)s)
having count(*) > 0
union all
select 'directus_notifications', 'sender', array_agg(n.id::text order by n.id)
from acta.directus_notifications n where n.sender::text = any(%(keys)s)
having count(*) > 0;

-- name: same_translation
-- The languages that these keys are translated into.
select t.key, t.language from acta.directus_translations t where t.key = any(%(values)s);

-- name: translations
-- Key and language of translations.
select t.id::text, t.key, t.language from acta.directus_translations t where t.id::text = any(%(ids)s);

-- name: notify
-- Tell every process that rights have changed, when the transaction commits.
select pg_notify('acta_rights', '');

-- name: listen
-- Hear of changed rights.
listen acta_rights;

-- name: objects_of
-- Where the objects of files lie.
select id::text, storage, filename_disk from acta.directus_files where id::text = any(%(keys)s)
order by id for update;

-- name: names_of_users
-- What people are called.
select u.id, nullif(concat_ws(' ', nullif(u.first_name, ''), nullif(u.last_name, '')), '')
from acta.directus_users as u where u.id = any(%(users)s);

-- name: seats
-- Active users by the access their policies give, whatever their address.
with recursive granted (role, "user", admin, app) as (
    select a.role, a."user", p.admin_access, p.app_access
    from acta.directus_access a join acta.directus_policies p on p.id = a.policy
    where (p.admin_access or p.app_access) and (a.role is not null or a."user" is not null)
), heirs (role, admin, app) as (
    select role, admin, app from granted where role is not null
    union
    select r.id, h.admin, h.app from acta.directus_roles r join heirs h on r.parent = h.role
), users as (
    select
        coalesce((select bool_or(h.admin) from heirs h where h.role = u.role), false)
            or coalesce((select bool_or(g.admin) from granted g where g."user" = u.id), false) as admin,
        exists(select from heirs h where h.role = u.role)
            or exists(select from granted g where g."user" = u.id) as app
    from acta.directus_users u where u.status = 'active'
)
select count(*) filter (where admin), count(*) filter (where app), count(*) filter (where not app and not admin)
from users;


-- name: foreign_shares
-- Whether some of these shares are not this user's.
select 1 from acta.directus_shares s
where s.id::text = any(%(keys)s) and s.user_created is distinct from %(user)s
limit 1;
