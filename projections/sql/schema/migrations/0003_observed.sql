-- Deletions that were observed end an item as well as Acta's own: what ends an item is that nothing is left of it.
create or replace function acta.item_states_v1(name text, upto bigint) returns table (item text, state jsonb)
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
        select e.item, e.seq, false as filled,
               case when (select count(*) from fields as g where g.topic <> 'field.created') = 0 then e.payload
                    else e.payload - coalesce((
                        select array_agg(g.field) from fields as g where g.topic <> 'field.created' and g.seq > e.seq
                    ), '{}') end as payload
        from acta.events as e
        where e.collection = name and e.seq > (select begin from life) and e.seq <= upto
          and e.topic in ('item.created', 'item.updated', 'item.adopted', 'item.observed', 'item.deleted')
        union all
        select there.item, g.seq, true, jsonb_build_object(g.field, g.filled)
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
    having max(t.seq) filter (where t.payload is not null and not t.filled)
           > coalesce(max(t.seq) filter (where t.payload is null), 0)
$$;
