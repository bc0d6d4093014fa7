-- What signing in, invitations, registration and one-time passwords look up.

-- name: by_email
-- The user with an e-mail address.
select u.id, u.role, u.status, u.provider, u.password, u.tfa_secret, u.email
from acta.directus_users u where lower(u.email) = lower(%(email)s);

-- name: by_id
-- The user with a key.
select u.id, u.role, u.status, u.provider, u.password, u.tfa_secret, u.email
from acta.directus_users u where u.id = %(user)s;

-- name: by_identifier
-- The user whom a provider knows by this name, whichever provider it is.
select u.id, u.role, u.status, u.provider, u.password, u.tfa_secret, u.email
from acta.directus_users u where lower(u.external_identifier) = lower(%(identifier)s);

-- name: reader
-- The address to which a user wants letters about notifications, if he does, and whether he may use the app.
with recursive roles (id) as (
    select u.role from acta.directus_users u where u.id = %(user)s
    union
    select r.parent from acta.directus_roles r join roles on roles.id = r.id
)
select u.email, exists(
    select from acta.directus_access a join acta.directus_policies p on p.id = a.policy
    where (p.app_access or p.admin_access) and (a."user" = u.id or a.role in (select id from roles))
)
from acta.directus_users u where u.id = %(user)s and u.email_notifications and u.email is not null;

-- name: enforces_tfa
-- Whether a policy of the role itself demands a second factor.
select exists(
    select from acta.directus_access a join acta.directus_policies p on p.id = a.policy
    where a.role = %(role)s and p.enforce_tfa
);

-- name: role_named
-- The role with one of these names, whatever their case.
select r.id from acta.directus_roles r where lower(r.name) = any(%(names)s) order by r.name limit 1;

-- name: project
-- What the settings say about mail, logins and registration.
select s.project_name, s.project_color, s.project_logo::text, s.project_url, s.auth_login_attempts,
    s.public_registration, s.public_registration_verify_email, s.public_registration_role,
    s.public_registration_email_filter, s.auth_password_policy
from acta.directus_settings s order by s.id limit 1;

-- name: auth_data
-- What is kept of a user's provider.
select u.auth_data from acta.directus_users u where u.id = %(user)s;

-- name: identifier
-- The name by which a user's provider knows him.
select u.external_identifier from acta.directus_users u where u.id = %(user)s;

-- name: share
-- A share, whether its time has come and not gone, and the digest of its password.
select s.id, s.role, s.password, s.max_uses, s.times_used, s.collection, s.item,
    (s.date_start is null or s.date_start <= now()) and (s.date_end is null or s.date_end >= now()), s.user_created,
    s.date_start, s.date_end
from acta.directus_shares s where s.id = %(share)s;

-- name: lock_share
-- The uses of a share, kept from changing until the transaction ends.
select s.times_used, s.max_uses from acta.directus_shares s where s.id = %(share)s for update;
