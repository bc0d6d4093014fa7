-- name: listing
-- Of the sealed events after a position, those of a collection or of some kinds, in order.
with ranges as materialized ({ranges})
select
    event.seq + shift as position, event.seq, event.at, event.topic, event.collection, event.item,
    event.actor, event.request, event.context, event.payload::text, event.meta
from {events} event
where (%(collection)s::text is null or event.collection = %(collection)s)
  and (%(topics)s::text[] is null or event.topic like any(%(topics)s))
order by position;
