-- name: room
-- Names of the job queue are found in our schema until the transaction ends.
set local search_path to acta;

-- name: there
-- Whether the queue has its tables.
select to_regclass('acta.procrastinate_jobs') is not null;

-- name: due
-- Webhooks with something to send and no job that waits.
select webhook.id from acta.directus_webhooks webhook
where webhook.status = 'active'
  and exists (
      select from acta.deliveries delivery
      where delivery.webhook = webhook.id and delivery.status = 'waiting' and delivery.next_at <= now()
  )
  and not exists (
      select from acta.procrastinate_jobs job
      where job.status = 'todo' and job.queueing_lock = 'webhook:' || webhook.id
  )
order by webhook.id;

-- name: replays
-- Replays that are not over and have no job that waits.
select replay.id from acta.webhook_replays replay
where finished_at is null
  and not exists (
      select from acta.procrastinate_jobs job
      where job.status = 'todo' and job.queueing_lock = 'replay:' || replay.id
  )
order by replay.id;
