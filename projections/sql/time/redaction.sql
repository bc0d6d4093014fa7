-- name: fields
-- All names that an item's events ever gave values for.
select coalesce(array_agg(distinct f.name), '{}') from (
    select jsonb_object_keys(e.payload) as name from acta.events as e
    where e.collection = %(collection)s and e.item = %(item)s and e.topic like 'item.%%' and jsonb_typeof(e.payload) = 'object'
    union
    select jsonb_object_keys(e.meta -> 'submitted') from acta.events as e
    where e.collection = %(collection)s and e.item = %(item)s and e.topic like 'item.%%'
      and jsonb_typeof(e.meta -> 'submitted') = 'object'
) as f;

-- name: still_there
-- Which of some fields have a value in the live row.
select coalesce(array_agg(f.key order by f.key), '{{}}')
from {table} as "acta row" cross join lateral jsonb_each(to_jsonb("acta row")) as f
where {same} and f.key = any(%(fields)s) and f.value <> 'null';

-- name: history
-- The history of a collection, where there is one.
select number from acta.histories where collection = %(collection)s;

-- name: empty
-- Take values out of a history.
update {history} as "acta row" set {changes} where {same};
