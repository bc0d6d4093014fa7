-- The states of all items of a collection at once, as the log tells them: what undo, rename and retype rest on.

-- The few events that tell of the model among the many that tell of items.
create index events_model on acta.events (collection, seq) where topic in (
    'collection.created', 'collection.updated', 'collection.deleted', 'collection.renamed',
    'field.created', 'field.updated', 'field.deleted', 'field.renamed',
    'relation.created', 'relation.updated', 'relation.deleted'
);

-- Where the present life of a collection begins: behind its last deletion, unless that was undone.
create function acta.life_begin_v1(name text, upto bigint) returns bigint
language sql stable as $$
    select coalesce(max(d.seq), 0)
    from acta.events as d
    where d.collection = name and d.topic in ('collection.deleted', 'collection.renamed') and d.seq <= upto
      and not exists (
          select from acta.events as u
          where u.collection = name and u.topic = 'collection.created' and u.seq > d.seq and u.seq <= upto
            and u.meta ->> 'revert' = d.seq::text
      )
$$;

-- The items that were there right after an event, with their states. A value that a field had before it was dropped is
-- gone, unless the drop was undone; a field added with one value for all items has it in those that were there.
create function acta.item_states_v1(name text, upto bigint) returns table (item text, state jsonb)
language sql stable rows 100000 as $$
    with life as materialized (
        select acta.life_begin_v1(name, upto) as begin
    ), fields as materialized (
        select f.seq, f.topic, f.item as field, f.payload -> 'filled' as filled
        from acta.events as f
        where f.collection = name and f.topic in ('field.created', 'field.deleted', 'field.renamed')
          and f.seq > (select begin from life) and f.seq <= upto
          and not exists (
              select from acta.events as u
              where u.collection = name and u.topic = 'field.created' and u.item = f.item and u.seq > f.seq
                and u.seq <= upto and u.meta ->> 'revert' = f.seq::text
          )
    ), told as (
        select e.item, e.seq, e.topic,
               case when gone.fields is null then e.payload else e.payload - gone.fields end as payload
        from acta.events as e
        left join lateral (
            select array_agg(g.field) as fields from fields as g where g.topic <> 'field.created' and g.seq > e.seq
        ) as gone on true
        where e.collection = name and e.seq > (select begin from life) and e.seq <= upto
          and e.topic in ('item.created', 'item.updated', 'item.adopted', 'item.observed', 'item.deleted')
        union all
        select there.item, g.seq, 'field.created', jsonb_build_object(g.field, g.filled)
        from fields as g
        join (
            select e.item, min(e.seq) as seq from acta.events as e
            where e.collection = name and e.seq > (select begin from life) and e.seq <= upto
              and e.topic in ('item.created', 'item.adopted', 'item.observed')
              and exists (select from fields as any_filled where any_filled.filled <> 'null')
            group by e.item
        ) as there on there.seq < g.seq
        where g.topic = 'field.created' and g.filled <> 'null'
    )
    select t.item, acta.fold(t.payload order by t.seq)
    from told as t
    group by t.item
    having max(t.seq) filter (where t.topic not in ('item.deleted', 'field.created'))
           > coalesce(max(t.seq) filter (where t.topic = 'item.deleted'), 0)
$$;
