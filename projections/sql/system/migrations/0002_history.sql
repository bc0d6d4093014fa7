-- Activity and revisions as views over the log. Nothing is stored twice: the id of a row is the event's seq, the
-- state an item had is folded from its events when a query asks for it. Functions carry a version in their names, so
-- that processes of the old and the new code can run side by side while a later migration replaces them.

-- Where the history of a collection begins again; few rows, asked in every query of history.
create index events_collection_deleted on acta.events (collection, seq) where topic = 'collection.deleted';

-- What activity calls an event; null for events that are no activity.
create function acta.activity_action_v1(topic text) returns text
language sql immutable parallel safe as $$
    select case topic
        when 'item.created' then 'create'
        when 'item.updated' then 'update'
        when 'item.deleted' then 'delete'
        when 'user.login' then 'login'
        when 'user.logout' then 'logout'
        when 'version.saved' then 'version_save'
        when 'flow.run' then 'run'
    end
$$;

-- By collection, the seq of its deletion: what happened before is another collection's history. A deletion that was
-- undone counts for nothing. In plpgsql, because sessions keep the plans of such functions.
create function acta.history_floors_v1() returns jsonb
language plpgsql stable parallel safe as $$
begin
    return (
        select coalesce(jsonb_object_agg(gone.collection, gone.seq), '{}')
        from (
            select d.collection, max(d.seq) as seq
            from acta.events as d
            where d.topic = 'collection.deleted' and not exists (
                select from acta.events as u
                where u.collection = d.collection and u.item = d.item and u.seq > d.seq
                  and u.topic = 'collection.created' and u.meta ->> 'revert' = d.seq::text
            )
            group by d.collection
        ) as gone
    );
end
$$;

-- The collections that activity (or, with revisions, one of the two) says nothing about.
create function acta.history_quiet_v1(revisions boolean) returns text[]
language plpgsql stable parallel safe as $$
begin
    return array(
        select c.collection::text from acta.directus_collections as c
        where c.accountability is null or (revisions and c.accountability <> 'all')
    ) || '{directus_activity,directus_presets,directus_revisions,directus_sessions}'::text[];
end
$$;

-- The specials of system fields that history must know; all others are told by constraints. As in the definitions.
create function acta.system_special_v1(field text) returns text
language sql immutable parallel safe as $$
    select case
        when field in (
            'directus_users.password', 'directus_users.tfa_secret', 'directus_users.token',
            'directus_shares.password', 'directus_deployments.credentials', 'directus_webhooks.secret',
            'directus_settings.ai_openai_api_key', 'directus_settings.ai_anthropic_api_key',
            'directus_settings.ai_google_api_key', 'directus_settings.ai_openai_compatible_api_key'
        ) then 'conceal'
        when field in (
            'directus_fields.special', 'directus_permissions.fields', 'directus_policies.ip_access',
            'directus_relations.one_allowed_collections', 'directus_webhooks.actions', 'directus_webhooks.collections'
        ) then 'cast-csv'
        when field in ('directus_files.tags', 'directus_deployments.options') then 'cast-json'
        when field in (
            'directus_comments.collection', 'directus_fields.collection', 'directus_fields.group',
            'directus_users.avatar', 'directus_flows.operation'
        ) then 'm2o'
    end
$$;

-- The table of a collection: named as the collection, or qualified where two schemas have the name.
create function acta.table_of_v1(collection text) returns oid
language sql stable as $$
    select c.oid
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where c.relname in (collection, substr(collection, strpos(collection, '.') + 1)) and c.relkind in ('r', 'p')
      and (c.relname = collection or n.nspname || '.' || c.relname = collection)
      and case when collection like 'directus\_%' then n.nspname = 'acta'
               else n.nspname not in ('acta', 'pg_catalog', 'information_schema', 'pg_toast') and n.nspname not like 'pg\_temp%' end
    order by n.nspname = 'public' desc, c.oid
    limit 1
$$;

-- The columns of a collection's table, and how history shows their values: by name, the form of the value, and whether
-- it is a key, relational, or masked. Asked for every row, so the last answer is kept until the transaction ends.
create function acta.history_shape_v1(collection text) returns jsonb
language plpgsql stable as $$
declare
    table_oid oid;
    shape jsonb;
begin
    if current_setting('acta.shape_of', true) = collection then
        return current_setting('acta.shape')::jsonb;
    end if;
    table_oid := acta.table_of_v1(collection);
    select jsonb_object_agg(a.attname, jsonb_build_object(
        'form', case
            when 'cast-csv' = any (s.specials) then 'csv'
            when 'cast-json' = any (s.specials) then 'json'
            else coalesce(base.typname, t.typname)
        end,
        'key', exists (
            select from pg_catalog.pg_constraint as k
            where k.conrelid = table_oid and k.contype = 'p' and a.attnum = any (k.conkey)
        ),
        'relational', 'm2o' = any (s.specials) or 'file' = any (s.specials)
            or exists (
                select from pg_catalog.pg_constraint as k
                where k.conrelid = table_oid and k.contype = 'f' and k.conkey = array[a.attnum]
            )
            or exists (
                select from acta.directus_relations as r
                where r.many_collection = history_shape_v1.collection and r.many_field = a.attname
            ),
        'masked', s.specials && '{hash,conceal,encrypt}'
    )) into shape
    from pg_catalog.pg_attribute as a
    join pg_catalog.pg_type as t on t.oid = a.atttypid
    left join pg_catalog.pg_type as base on base.oid = t.typbasetype and t.typtype = 'd'
    left join acta.directus_fields as f on f.collection = history_shape_v1.collection and f.field = a.attname
    cross join lateral (
        select coalesce(string_to_array(
            coalesce(f.special, acta.system_special_v1(history_shape_v1.collection || '.' || a.attname)), ','
        ), '{}') as specials
    ) as s
    where a.attrelid = table_oid and a.attnum > 0 and not a.attisdropped;
    shape := coalesce(shape, '{}');
    perform set_config('acta.shape', shape::text, true), set_config('acta.shape_of', collection, true);
    return shape;
end
$$;

-- A value of the log in the form that items are answered in. `form` is a type's name, csv or json.
create function acta.wire_value_v1(value jsonb, form text) returns jsonb
language sql stable parallel safe as $$
    select case
        when value is null or jsonb_typeof(value) = 'null' then 'null'
        when form in ('int8', 'numeric') and jsonb_typeof(value) = 'number' then to_jsonb(value #>> '{}')
        when jsonb_typeof(value) <> 'string' then value
        when form = 'timestamptz' and value #>> '{}' ~ '^\d{4}-' then
            to_jsonb(to_char((value #>> '{}')::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
        when form = 'timestamp' and value #>> '{}' ~ '^\d{4}-' then
            to_jsonb(to_char((value #>> '{}')::timestamp, 'YYYY-MM-DD"T"HH24:MI:SS'))
        when form = 'csv' then to_jsonb(string_to_array(value #>> '{}', ','))
        when form = 'bpchar' then to_jsonb(rtrim(value #>> '{}'))
        else value
    end
$$;

-- The state of an item right after an event: the latest snapshot before it, and everything since merged over it.
create function acta.item_state_v1(collection text, item text, upto bigint) returns jsonb
language plpgsql stable as $$
declare
    base record;
begin
    select s.seq, s.state into base
    from acta.snapshots as s
    where s.collection = item_state_v1.collection and s.item = item_state_v1.item and s.seq <= upto
    order by s.seq desc limit 1;
    return coalesce(base.state, '{}') || (
        select acta.fold(e.payload order by e.seq)
        from acta.events as e
        where e.collection = item_state_v1.collection and e.item = item_state_v1.item
          and e.seq > coalesce(base.seq, 0) and e.seq <= upto
          and e.topic in ('item.created', 'item.updated', 'item.adopted', 'item.observed')
    );
end
$$;

-- The value that a field added later gave to the items that were there.
create function acta.filled_value_v1(collection text, field text, upto bigint) returns jsonb
language sql stable as $$
    select e.payload -> 'filled'
    from acta.events as e
    where e.collection = filled_value_v1.collection and e.item = field and e.seq <= upto and e.topic = 'field.created'
    order by e.seq desc limit 1
$$;

-- Whether a column that is gone was one whose values are masked.
create function acta.was_masked_v1(collection text, field text) returns boolean
language sql stable as $$
    select coalesce((
        select coalesce(e.payload #> '{old,meta,special}', '[]') ?| '{hash,conceal,encrypt}'
        from acta.events as e
        where e.collection = was_masked_v1.collection and e.item = field and e.topic = 'field.deleted'
        order by e.seq desc limit 1
    ), false)
$$;

-- The `data` of a revision made by an update: all present columns but relations, as they were after the event.
create function acta.revision_state_v1(collection text, item text, upto bigint) returns jsonb
language plpgsql stable as $$
declare
    state jsonb := acta.item_state_v1(collection, item, upto);
begin
    return (
        select jsonb_object_agg(f.key, case
            when (f.value -> 'masked')::boolean and v.value <> 'null' then '"**********"'
            else acta.wire_value_v1(v.value, f.value ->> 'form')
        end)
        from jsonb_each(acta.history_shape_v1(collection)) as f
        cross join lateral (
            select case when state ? f.key then state -> f.key
                        else coalesce(acta.filled_value_v1(collection, f.key, upto), 'null') end as value
            offset 0
        ) as v
        where not (f.value -> 'relational')::boolean
    );
end
$$;

-- The `delta` of a revision, which for a creation is its `data` too: what was submitted, without the key of an update
-- and without the relations of a creation.
create function acta.revision_delta_v1(collection text, topic text, payload jsonb, meta jsonb) returns jsonb
language plpgsql stable as $$
declare
    left_out text := case topic when 'item.created' then 'relational' when 'item.updated' then 'key' end;
    fields jsonb := meta -> 'fields';
    submitted jsonb := coalesce(meta -> 'submitted', '{}');
    shape jsonb := acta.history_shape_v1(collection);
begin
    return (
        select jsonb_object_agg(p.key, case
            when p.value = 'null' then p.value
            when f.shape is null and acta.was_masked_v1(collection, p.key) then '"**********"'
            when (f.shape -> 'masked')::boolean then '"**********"'
            when submitted ? p.key then submitted -> p.key
            else acta.wire_value_v1(p.value, f.shape ->> 'form')
        end)
        from jsonb_each(payload) as p
        cross join lateral (select shape -> p.key as shape offset 0) as f
        where (fields is null or fields ? p.key) and not coalesce((f.shape -> left_out)::boolean, false)
    );
end
$$;

-- The revision of the parent item that an item was written through, out of the same request: a seq, or a collection
-- and item whose event comes later. Null when the parent itself changed in nothing. The cast has a CASE of its own,
-- since pruning partitions evaluates it before the branch is chosen.
create function acta.revision_parent_v1(parent jsonb, request uuid, seq bigint) returns bigint
language sql stable as $$
    select case jsonb_typeof(parent)
        when 'number' then (
            select e.seq from acta.events as e
            where e.seq = case when jsonb_typeof(parent) = 'number' then parent::bigint end
              and e.payload <> '{}' and e.meta -> 'fields' is distinct from '[]'
        )
        when 'object' then (
            select e.seq from acta.events as e
            where e.collection = parent ->> 'collection' and e.item = parent ->> 'item'
              and e.seq > revision_parent_v1.seq and e.request = revision_parent_v1.request
              and e.topic in ('item.created', 'item.updated')
              and e.payload <> '{}' and e.meta -> 'fields' is distinct from '[]'
            order by e.seq limit 1
        )
    end
$$;

-- The conditions stand in a CASE because the planner then takes half of the events as shown. Of the bare conditions it
-- expects one row to pass, and sorts the whole log where it should walk backwards over an index.
create view acta.directus_activity as
select e.seq as id,
       acta.activity_action_v1(e.topic) as action,
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
    when acta.activity_action_v1(e.topic) is null then false
    when e.meta ? 'silent' or e.meta ? 'cause' then false
    when e.collection = any ((select acta.history_quiet_v1(false))::text[]) then false
    else e.seq > coalesce(((select acta.history_floors_v1()) ->> e.collection)::bigint, 0)
end;

create view acta.directus_revisions as
select e.seq as id,
       e.seq as activity,
       e.collection,
       e.item,
       case e.topic
           when 'item.updated' then acta.revision_state_v1(e.collection, e.item, e.seq)
           else acta.revision_delta_v1(e.collection, e.topic, e.payload, e.meta)
       end as data,
       acta.revision_delta_v1(e.collection, e.topic, e.payload, e.meta) as delta,
       case when e.meta ? 'parent' then acta.revision_parent_v1(e.meta -> 'parent', e.request, e.seq) end as parent,
       case when e.topic = 'version.saved' then (e.meta ->> 'version')::uuid end as version
from acta.events as e
where case
    when e.topic not in ('item.created', 'item.updated', 'version.saved') then false
    when e.topic = 'item.updated' and (e.payload = '{}' or e.meta -> 'fields' = '[]') then false
    when e.topic = 'version.saved' and not exists (
        select from acta.directus_versions as v where v.id = (e.meta ->> 'version')::uuid
    ) then false
    when e.meta ? 'silent' or e.meta ? 'cause' then false
    when e.collection = any ((select acta.history_quiet_v1(true))::text[]) then false
    else e.seq > coalesce(((select acta.history_floors_v1()) ->> e.collection)::bigint, 0)
end;
