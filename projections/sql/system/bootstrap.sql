-- name: empty
-- Whether nobody and nothing is there yet.
select not exists (select from acta.directus_users) and not exists (select from acta.directus_roles)
   and not exists (select from acta.directus_policies) and not exists (select from acta.directus_settings);

-- name: first_rows
-- The rows that a project begins with, and their events: they are no activity, but their history begins like any other's.
with public_policy as (
    insert into acta.directus_policies (id, name, icon, description)
    values (%(public_policy)s, '$t:public_label', 'public', '$t:public_description')
    returning *
), admin_policy as (
    insert into acta.directus_policies (id, name, icon, description, admin_access, app_access)
    values (gen_random_uuid(), 'Administrator', 'verified', '$t:admin_description', true, true)
    returning *
), admin_role as (
    insert into acta.directus_roles (id, name, icon, description)
    values (gen_random_uuid(), 'Administrator', 'verified', '$t:admin_description')
    returning *
), admin_user as (
    insert into acta.directus_users (id, first_name, last_name, email, password, token, role)
    select gen_random_uuid(), 'Admin', 'User', %(email)s, %(password)s, %(token)s, r.id from admin_role as r
    returning *
), public_access as (
    insert into acta.directus_access (id, policy, sort) select gen_random_uuid(), p.id, 1 from public_policy as p
    returning *
), admin_access as (
    insert into acta.directus_access (id, role, policy)
    select gen_random_uuid(), r.id, p.id from admin_role as r cross join admin_policy as p
    returning *
), settings as (
    insert into acta.directus_settings default values returning *
), written (place, collection, item, payload) as (
    select 1, 'directus_policies', t.id::text, to_jsonb(t) from public_policy as t
    union all select 2, 'directus_policies', t.id::text, to_jsonb(t) from admin_policy as t
    union all select 3, 'directus_roles', t.id::text, to_jsonb(t) from admin_role as t
    union all select 4, 'directus_access', t.id::text, to_jsonb(t) from public_access as t
    union all select 5, 'directus_access', t.id::text, to_jsonb(t) from admin_access as t
    union all select 6, 'directus_users', t.id::text, to_jsonb(t) from admin_user as t
    union all select 7, 'directus_settings', t.id::text, to_jsonb(t) from settings as t
)
insert into acta.events (topic, collection, item, request, payload, meta)
select 'item.created', w.collection, w.item, %(request)s, w.payload, '{"silent": true}'
from written as w order by w.place;
