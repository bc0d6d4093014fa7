-- name: active
-- All active flows with their operations, in the order they were made; since which event each is active.
select
    coalesce((
        select json_agg(flow order by flow.date_created, flow.id)
        from (
            select flow.*, (
                select max(event.seq) from acta.events event
                where event.collection = 'directus_flows' and event.item = flow.id::text
                  and (event.topic = 'item.created' or event.payload ? 'status')
            ) as since
            from acta.directus_flows flow where flow.status = 'active'
        ) flow
    ), '[]'),
    coalesce((select json_agg(operation) from acta.directus_operations operation), '[]');

-- name: begun_at
-- When this database began to run flows.
select applied_at from acta.migrations where room = 'flows' and number = 1;

-- name: awaiting
-- Whether any active flow may listen to events.
select exists (select from acta.directus_flows where status = 'active' and trigger = 'event');

-- name: notify
-- Tell every process that flows have changed, when the transaction commits.
select pg_notify('acta_flows', '');

-- name: listen
-- Hear of changed flows.
listen acta_flows;
