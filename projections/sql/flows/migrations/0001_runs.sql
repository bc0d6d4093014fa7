-- Runs of flows that events have set off, kept until they are over; and when schedules last ran.

create table acta.flow_runs (
    id bigint generated always as identity primary key,
    flow uuid not null,
    position bigint not null,
    trigger jsonb,
    accountability jsonb,
    request uuid,
    state jsonb,
    created timestamptz not null default now(),
    finished timestamptz,
    unique (flow, position)
);
comment on table acta.flow_runs is 'Runs of flows that events have set off; taken up again after a crash';
create index flow_runs_unfinished on acta.flow_runs (id) where finished is null;
create index flow_runs_finished on acta.flow_runs (finished) where finished is not null;

create table acta.flow_schedules (
    flow uuid primary key,
    at timestamptz not null
);
comment on table acta.flow_schedules is 'The last moment of each schedule that was taken';

-- Runs are activity, and those written down whole are revisions.
create or replace view acta.directus_revisions as
select e.seq as id,
       e.seq as activity,
       e.collection,
       e.item,
       case e.topic
           when 'past.activity' then e.payload -> 'data'
           when 'flow.run' then e.payload
           when 'item.updated' then acta.revision_state_v1(e.collection, e.item, e.seq)
           else acta.revision_delta_v1(e.collection, e.topic, e.payload, e.meta)
       end as data,
       case e.topic
           when 'past.activity' then e.payload -> 'delta'
           when 'flow.run' then null
           else acta.revision_delta_v1(e.collection, e.topic, e.payload, e.meta)
       end as delta,
       case
           when e.topic = 'past.activity' then (e.meta ->> 'before')::bigint
           when e.meta ? 'parent' then acta.revision_parent_v1(e.meta -> 'parent', e.request, e.seq)
       end as parent,
       case when e.topic in ('version.saved', 'past.activity') then (e.meta ->> 'version')::uuid end as version
from acta.events as e
where case
    when e.at < (select acta.shown_since_v1('revisions')) then false
    when e.topic = 'past.activity' then
        e.payload is not null and not (select acta.history_floors_v1()) ? e.collection
        and (not e.meta ? 'version' or exists (
            select from acta.directus_versions as v where v.id = (e.meta ->> 'version')::uuid
        ))
    when e.topic not in ('item.created', 'item.updated', 'version.saved', 'flow.run') then false
    when e.topic = 'flow.run' and e.payload is null then false
    when e.topic = 'item.updated' and (e.payload = '{}' or e.meta -> 'fields' = '[]') then false
    when e.topic = 'version.saved' and not exists (
        select from acta.directus_versions as v where v.id = (e.meta ->> 'version')::uuid
    ) then false
    when e.meta ? 'silent' or e.meta ? 'cause' then false
    when e.collection = any ((select acta.history_quiet_v1(true))::text[]) then false
    else e.seq > coalesce(((select acta.history_floors_v1()) ->> e.collection)::bigint, 0)
end;
