-- Who a caller is and what he may do; read on the first request of a caller and after changes of rights.

-- name: user_by_token
-- The active user of a static token, by the token's SHA-256.
select u.id, u.role from acta.directus_users u where u.token = %(digest)s and u.status = 'active';

-- name: users_by_id
-- The roles of users, whatever their status.
select u.id, u.role from acta.directus_users u where u.id = any(%(users)s) order by u.id;

-- name: standing
-- The chain of roles from the oldest ancestor down, and the policies that apply in order of rising precedence.
with recursive chain (id, parent, depth) as (
    select r.id, r.parent, 0 from acta.directus_roles r where r.id = %(role)s
    union all
    select r.id, r.parent, c.depth + 1
    from acta.directus_roles r join chain c on r.id = c.parent
    where c.depth < 64
), applied as (
    select a.policy, a.sort, a.id, c.depth, false as own, false as open
    from acta.directus_access a join chain c on a.role = c.id
    union all
    select a.policy, a.sort, a.id, 0, true, false
    from acta.directus_access a where a."user" = %(user)s
    union all
    select a.policy, a.sort, a.id, 1000, false, true
    from acta.directus_access a
    where a.role is null and a."user" is null and %(role)s::uuid is null
)
select
    array(select c.id from chain c order by c.depth desc),
    coalesce(
        (
            select json_agg(
                json_build_object(
                    'id', p.id, 'admin', p.admin_access, 'app', p.app_access, 'tfa', p.enforce_tfa,
                    'ip', p.ip_access, 'open', a.open
                ) order by a.own, a.depth desc, a.sort nulls first, a.id
            )
            from applied a join acta.directus_policies p on p.id = a.policy
        ),
        '[]'
    );

-- name: permissions
-- The permission rows of policies, in the order of the policies.
select p.collection, p.action, p.permissions, p.validation, p.presets, p.fields, p.id, p.policy
from acta.directus_permissions p
where p.policy = any(%(policies)s)
order by array_position(%(policies)s, p.policy), p.id;
