-- name: append
-- Append events in the order given; drawing seq last keeps it behind the locks on the rows written before.
insert into acta.events (topic, collection, item, actor, request, context, payload, meta)
select topic, collection, item, actor, request, context, payload, meta
from rows from (
    jsonb_to_recordset(%(events)s::jsonb) as (
        topic text, collection text, item text, actor uuid, request uuid, context int, payload jsonb, meta jsonb
    )
) with ordinality as given (topic, collection, item, actor, request, context, payload, meta, nth)
order by nth
returning seq;

-- name: context
-- The id of a context, made when it is new. A conflicting insert of another process is found by the caller's
-- second try.
with found as (
    select id from acta.requests
    where ip is not distinct from %(ip)s
      and user_agent is not distinct from %(user_agent)s
      and origin is not distinct from %(origin)s
), made as (
    insert into acta.requests (ip, user_agent, origin)
    select %(ip)s, %(user_agent)s, %(origin)s where not exists (select from found)
    on conflict do nothing
    returning id
)
select id from found union all select id from made;
