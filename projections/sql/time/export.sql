-- name: seals
-- The next seals.
select id, last_position, jsonb_build_object('seal', to_jsonb(seal))::text from acta.seals as seal
where id > %(after)s order by id limit %(limit)s;

-- name: past
-- What a database brought along from before Acta, below every position.
select jsonb_build_object('event', to_jsonb(event))::text from acta.events as event where seq < 0 order by seq;

-- name: events
-- The events of some seals, by seal, in the order of their positions.
select seal.id, jsonb_build_object('event', to_jsonb(event))::text
from acta.seals as seal
cross join lateral unnest(seal.members) as piece
join acta.events as event on event.seq >= lower(piece) and event.seq < upper(piece)
where seal.id between %(first)s and %(last)s
order by seal.id, event.seq;

-- name: requests
-- Contexts of commands.
select id, jsonb_build_object('request', to_jsonb(r))::text from acta.requests as r where id > %(after)s order by id;

-- name: adoptions
-- Which tables were adopted.
select jsonb_build_object('adoption', to_jsonb(a))::text from acta.adoptions as a order by collection;

-- name: arriving
-- Where lines arrive.
create temporary table if not exists "acta lines" (line jsonb not null) on commit delete rows;

-- name: take_lines
-- The lines of a portion.
copy "acta lines" (line) from stdin;

-- name: keep_requests
-- The contexts among the lines.
insert into acta.requests (id, ip, user_agent, origin) overriding system value
select r.id, r.ip, r.user_agent, r.origin
from "acta lines" as l cross join lateral jsonb_populate_record(null::acta.requests, l.line -> 'request') as r
where l.line ? 'request' on conflict do nothing;

-- name: keep_events
-- The events among the lines.
insert into acta.events (xid, seq, at, topic, collection, item, actor, request, context, payload, meta)
overriding system value
select e.xid, e.seq, e.at, e.topic, e.collection, e.item, e.actor, e.request, e.context,
       nullif(l.line #> '{event,payload}', 'null'), nullif(l.line #> '{event,meta}', 'null')
from "acta lines" as l cross join lateral jsonb_populate_record(null::acta.events, l.line -> 'event') as e
where l.line ? 'event' on conflict do nothing;

-- name: keep_seals
-- The seals among the lines.
insert into acta.seals
select s.* from "acta lines" as l cross join lateral jsonb_populate_record(null::acta.seals, l.line -> 'seal') as s
where l.line ? 'seal' on conflict do nothing;

-- name: keep_adoptions
-- The adoptions among the lines.
insert into acta.adoptions
select a.* from "acta lines" as l
cross join lateral jsonb_populate_record(null::acta.adoptions, l.line -> 'adoption') as a
where l.line ? 'adoption' on conflict do nothing;

-- name: end
-- The end of the log that was taken in: last seal and position, highest seq.
select coalesce(max(id), -1), coalesce(max(last_position), 0), (select coalesce(max(seq), 0) from acta.events)
from acta.seals;

-- name: set_redacting
-- Let this transaction empty the log.
select set_config('acta.redacting', 'on', true);

-- name: redact
-- An older part of an export may hold what was erased later: it is erased here, too.
update acta.events as event
set payload = event.payload - gone.fields || coalesce((
        select jsonb_object_agg(
            shown.key, case event.payload -> shown.key when 'null' then 'null' else shown.value end
        )
        from jsonb_each(gone.shown) as shown where event.payload ? shown.key
    ), '{}'),
    meta = case when event.meta -> 'submitted' is null then event.meta
        else jsonb_set(event.meta, '{submitted}', (event.meta -> 'submitted') - gone.fields) end
from (
    select (noted.payload ->> 'seq')::bigint as seq, array_agg(distinct field.name) as fields,
           acta.fold(coalesce(noted.meta -> 'shown', '{}') order by noted.seq) as shown
    from acta.events as noted cross join lateral jsonb_array_elements_text(noted.payload -> 'fields') as field (name)
    where noted.topic = 'log.redacted'
    group by 1
) as gone
where event.seq = gone.seq and (event.payload ?| gone.fields or event.meta -> 'submitted' ?| gone.fields);
