-- name: webhooks
-- What webhooks listen to, and how their status went. One that came here without its events was always as it is.
select
    webhook.id, webhook.actions, webhook.collections, webhook.filter,
    coalesce(standing.told, json_build_array(json_build_array(-1, webhook.status = 'active')))
from acta.directus_webhooks webhook
left join lateral (
    select json_agg(json_build_array(event.seq, event.payload ->> 'status' = 'active') order by event.seq) as told
    from acta.events event
    where event.collection = 'directus_webhooks' and event.item = webhook.id::text and event.payload ? 'status'
) standing on true
where %(webhook)s::int is null or webhook.id = %(webhook)s
order by webhook.id;

-- name: since
-- When this database began to deliver. A log that was brought here from elsewhere tells of older events.
select applied_at from acta.migrations where room = 'webhooks' and number = 1;

-- name: hold
-- Keep others from opening and closing deliveries of webhooks until the transaction ends.
select pg_advisory_xact_lock(%(class)s, webhook) from unnest(%(webhooks)s::int[]) webhook order by webhook;

-- name: share
-- Keep those who open deliveries of a webhook out until the transaction ends.
select pg_advisory_xact_lock_shared(%(class)s, %(webhook)s);

-- name: note
-- Open deliveries; a second time changes nothing.
insert into acta.deliveries (webhook, position, round, seq, collection, item, action, status)
select webhook, position, round, seq, collection, item, action,
    case when nth = 1 and not exists (
        select from acta.deliveries earlier
        where earlier.webhook = new.webhook and earlier.collection = new.collection and earlier.item = new.item
          and earlier.status in ('waiting', 'blocked')
    ) then 'waiting' else 'blocked' end
from (
    select *, row_number() over (partition by webhook, collection, item order by position) as nth
    from jsonb_to_recordset(%(rows)s) row (
        webhook int, position bigint, round int, seq bigint, collection text, item text, action text
    )
    where not exists (
        select from acta.deliveries known
        where known.webhook = row.webhook and known.position = row.position and known.round = row.round
    )
) new
order by position, webhook;

-- name: due
-- Deliveries to try now, with what makes the message; those of an inactive webhook wait. Which ones comes first:
-- a long backlog is not joined to be sorted.
with due as materialized (
    select id, failures, attempts, webhook, position, seq, next_at
    from acta.deliveries
    where webhook = %(webhook)s and status = 'waiting' and next_at <= now() and id <> all(%(flying)s::bigint[])
    order by next_at, id
    limit %(limit)s
)
select
    due.id, due.failures, due.attempts,
    webhook.id, webhook.method, webhook.url, webhook.data, webhook.headers, webhook.secret,
    due.position, event.seq, event.at, event.topic, event.collection, event.item, event.actor,
    event.request, event.context, event.payload::text, event.meta,
    caller.role::text
from due
join acta.directus_webhooks webhook on webhook.id = due.webhook and webhook.status = 'active'
left join lateral (
    select * from acta.events where seq = due.seq and topic <> 'item.adopted' offset 0
) event on true
left join acta.directus_users caller on caller.id = event.actor
order by due.next_at, due.id;

-- name: next_in
-- Seconds until the next delivery of an active webhook is due.
select extract(epoch from delivery.next_at - clock_timestamp())::float8
from acta.deliveries delivery
join acta.directus_webhooks webhook on webhook.id = delivery.webhook and webhook.status = 'active'
where delivery.webhook = %(webhook)s and delivery.status = 'waiting'
order by delivery.next_at limit 1;

-- name: settle
-- What came of attempts; where a delivery is over, the next one of its item may go.
with outcome as (
    select * from jsonb_to_recordset(%(outcomes)s) row (id bigint, status text, pause float8, attempt jsonb)
), settled as (
    update acta.deliveries delivery
    set status = outcome.status, attempts = attempts + 1, log = log || outcome.attempt,
        failures = case when outcome.status = 'delivered' then 0 else failures + 1 end,
        next_at = now() + make_interval(secs => outcome.pause),
        finished_at = case when outcome.status <> 'waiting' then now() end
    from outcome
    where delivery.id = outcome.id and delivery.status = 'waiting'
    returning delivery.webhook, delivery.collection, delivery.item, delivery.status
)
update acta.deliveries following
set status = 'waiting', next_at = now()
from settled, lateral (
    select blocked.id from acta.deliveries blocked
    where blocked.webhook = settled.webhook and blocked.collection = settled.collection
      and blocked.item = settled.item and blocked.status = 'blocked'
    order by blocked.id limit 1
) first
where settled.status <> 'waiting' and following.id = first.id;

-- name: again
-- Try a delivery now, also one that is over; no row when there is none.
update acta.deliveries delivery
set failures = 0, next_at = now(), finished_at = null,
    status = case
        when delivery.status in ('waiting', 'blocked') then delivery.status
        when exists (
            select from acta.deliveries other
            where other.webhook = delivery.webhook and other.collection = delivery.collection
              and other.item = delivery.item and other.status in ('waiting', 'blocked')
        ) then 'blocked'
        else 'waiting'
    end
where delivery.webhook = %(webhook)s and delivery.id = %(delivery)s
returning delivery.id;

-- name: list
-- Deliveries of a webhook, the newest positions first, each with its event.
select
    delivery.id, delivery.round, delivery.status, delivery.attempts, delivery.next_at, delivery.created_at,
    delivery.finished_at, delivery.log, delivery.position, delivery.collection, delivery.item,
    webhook.id, webhook.method, webhook.url, webhook.data, webhook.headers, null,
    delivery.position, event.seq, event.at, event.topic, event.collection, event.item, event.actor,
    event.request, event.context, event.payload::text, event.meta,
    caller.role::text
from acta.deliveries delivery
join acta.directus_webhooks webhook on webhook.id = delivery.webhook
left join acta.events event on event.seq = delivery.seq and event.topic <> 'item.adopted'
left join acta.directus_users caller on caller.id = event.actor
where delivery.webhook = %(webhook)s
  and (%(delivery)s::bigint is null or delivery.id = %(delivery)s)
  and (%(status)s::text is null or delivery.status = %(status)s)
  and (%(item)s::text is null or delivery.item = %(item)s)
  and (%(collection)s::text is null or delivery.collection = %(collection)s)
order by delivery.position desc, delivery.round desc
limit %(limit)s offset %(offset)s;

-- name: exists
-- Whether there is such a webhook.
select exists (select from acta.directus_webhooks where id = %(webhook)s);

-- name: forget
-- Deliveries and replays of webhooks go with them.
with replays as (
    delete from acta.webhook_replays where webhook = any(%(webhooks)s)
)
delete from acta.deliveries where webhook = any(%(webhooks)s);

-- name: sweep
-- What was over long ago, and what was opened while its webhook was deleted.
with replays as (
    delete from acta.webhook_replays where finished_at < now() - make_interval(secs => %(seconds)s)
)
delete from acta.deliveries delivery
where finished_at < now() - make_interval(secs => %(seconds)s)
   or not exists (select from acta.directus_webhooks webhook where webhook.id = delivery.webhook);

-- name: counts
-- Of each webhook the deliveries that are open, those that were given up, and the age of the oldest open one in seconds.
select
    webhook.id,
    (select count(*) from acta.deliveries d where d.webhook = webhook.id and d.status in ('waiting', 'blocked')),
    (select count(*) from acta.deliveries d where d.webhook = webhook.id and d.status = 'dead'),
    coalesce((
        select extract(epoch from now() - min(d.created_at))::float8
        from acta.deliveries d where d.webhook = webhook.id and d.status in ('waiting', 'blocked')
    ), 0)
from acta.directus_webhooks webhook order by webhook.id;
