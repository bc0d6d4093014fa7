-- name: sizes
-- Of some collections, those with more events than a query may fold.
select c.name from unnest(%(collections)s::text[]) as c (name)
where (select count(*) from (select from acta.events as e where e.collection = c.name limit %(most)s + 1) as told) > %(most)s;

-- name: histories
-- The histories there are.
select collection, number from acta.histories;

-- name: reached
-- How far the histories have come; no row when no worker ever kept them.
select position from acta.cursors where name = 'history';

-- name: known
-- The histories with what their tables were made by.
select collection, number, fingerprint from acta.histories order by collection;

-- name: note
-- A new history.
insert into acta.histories (collection, fingerprint) values (%(collection)s, %(fingerprint)s) returning number;

-- name: forget
-- A history that is no longer kept.
delete from acta.histories where collection = %(collection)s;

-- name: make
-- The table of a history: the collection's columns, and the positions from which and before which a row was this.
create table {history} as select t.*, 0::bigint as "acta from", 9223372036854775807::bigint as "acta to"
from {table} as t with no data;

-- name: index
-- What rows are found by; there may be new ones while a history stays.
create index if not exists {index} on {history} ({columns});

-- name: drop
-- The table of a history that is no longer kept, or has to be made anew.
drop table if exists {history};

-- name: schema_changed
-- Whether the schema changed at some positions.
with ranges as materialized ({ranges})
select exists (
    select from {events} e
    where e.topic in ('collection.created', 'collection.deleted', 'collection.renamed', 'field.created',
                      'field.updated', 'field.deleted', 'field.renamed', 'relation.created')
);

-- name: apply
-- The rows that the events at some positions made, each valid until the next one.
with ranges as materialized ({ranges}), told as materialized (
    select event.item, event.seq + shift as position, event.payload, false as filled
    from {events} event
    where event.collection = %(collection)s and event.seq > %(begin)s and event.topic like 'item.%%'
      and (event.payload is null or event.payload <> '{{}}')
), filled as materialized (
    select event.seq + shift as position, jsonb_build_object(event.item, event.payload -> 'filled') as payload
    from {events} event
    where event.collection = %(collection)s and event.seq > %(begin)s and event.topic = 'field.created'
      and event.payload -> 'filled' <> 'null'
), started as materialized (
    select item, min(position) as position from told where exists (select from filled) group by item
), changes as materialized (
    select item, position, payload, filled from told
    union all
    select s.item, f.position, f.payload, true from filled as f join started as s on s.position < f.position
), open as materialized (
    select asked.item, to_jsonb("acta row") - 'acta from' - 'acta to' as state
    from (select distinct item from changes) as asked join {history} as "acta row" on {same}
    where "acta row"."acta to" = 9223372036854775807
), versions as materialized (
    select c.item, c.position, c.payload is null as ends, c.filled,
           coalesce(o.state, '{{}}') || acta.fold(c.payload) over before as state,
           lead(c.position) over (partition by c.item order by c.position) as next,
           max(c.position) filter (where c.payload is null) over before as ended,
           max(c.position) filter (where c.payload is not null and not c.filled) over before as told,
           o.item is not null as going_on
    from changes as c left join open as o on o.item = c.item
    window before as (partition by c.item order by c.position rows unbounded preceding)
), closed as (
    update {history} as "acta row" set "acta to" = first.position
    from (select item, min(position) as position from versions group by item) as first
    where {same_first} and "acta row"."acta to" = 9223372036854775807
)
insert into {history} ({columns}, "acta from", "acta to")
select {values}, v.position, coalesce(v.next, 9223372036854775807)
from versions as v cross join lateral jsonb_populate_record(null::{table}, v.state) as r
where not v.ends and (not v.filled or (v.going_on and v.ended is null) or v.told > coalesce(v.ended, 0));

-- name: begin_of_life
-- Where the present life of a collection begins.
select acta.life_begin_v1(%(collection)s, 9223372036854775807);
