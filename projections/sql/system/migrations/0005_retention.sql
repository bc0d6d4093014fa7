-- Activity and revisions can be limited to what is younger than some time; the log itself keeps everything.
create table acta.retention (
    what text primary key check (what in ('activity', 'revisions')),
    keep interval not null
);
comment on table acta.retention is 'How far back activity and revisions are shown; as set when the server started';

-- From when on something is shown.
create function acta.shown_since_v1(what text) returns timestamptz
language plpgsql stable parallel safe as $$
begin
    return coalesce((select now() - r.keep from acta.retention as r where r.what = shown_since_v1.what), '-infinity');
end
$$;

create or replace view acta.directus_activity as
select e.seq as id,
       case e.topic when 'past.activity' then e.meta ->> 'action' else acta.activity_action_v1(e.topic) end as action,
       e.actor as "user",
       e.at as timestamp,
       r.ip,
       r.user_agent,
       e.collection,
       e.item,
       r.origin
from acta.events as e
left join acta.requests as r on r.id = e.context
where case
    when e.at < (select acta.shown_since_v1('activity')) then false
    when e.topic = 'past.activity' then not (select acta.history_floors_v1()) ? e.collection
    when acta.activity_action_v1(e.topic) is null then false
    when e.meta ? 'silent' or e.meta ? 'cause' then false
    when e.collection = any ((select acta.history_quiet_v1(false))::text[]) then false
    else e.seq > coalesce(((select acta.history_floors_v1()) ->> e.collection)::bigint, 0)
end;

create or replace view acta.directus_revisions as
select e.seq as id,
       e.seq as activity,
       e.collection,
       e.item,
       case e.topic
           when 'past.activity' then e.payload -> 'data'
           when 'item.updated' then acta.revision_state_v1(e.collection, e.item, e.seq)
           else acta.revision_delta_v1(e.collection, e.topic, e.payload, e.meta)
       end as data,
       case e.topic
           when 'past.activity' then e.payload -> 'delta'
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
    when e.topic not in ('item.created', 'item.updated', 'version.saved') then false
    when e.topic = 'item.updated' and (e.payload = '{}' or e.meta -> 'fields' = '[]') then false
    when e.topic = 'version.saved' and not exists (
        select from acta.directus_versions as v where v.id = (e.meta ->> 'version')::uuid
    ) then false
    when e.meta ? 'silent' or e.meta ? 'cause' then false
    when e.collection = any ((select acta.history_quiet_v1(true))::text[]) then false
    else e.seq > coalesce(((select acta.history_floors_v1()) ->> e.collection)::bigint, 0)
end;
