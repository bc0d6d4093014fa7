-- name: caller
-- Who caused an event, and from where.
select usr.role, context.ip, context.user_agent, context.origin
from (values (%(actor)s::uuid, %(context)s::int)) given (actor, context)
left join acta.directus_users usr on usr.id = given.actor
left join acta.requests context on context.id = given.context;
