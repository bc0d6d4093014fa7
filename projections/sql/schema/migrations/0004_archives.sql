-- States of items are told only when the events they are made of are there.
create or replace function acta.life_begin_v1(name text, upto bigint) returns bigint
language sql stable as $$
    select coalesce(max(d.seq), 0)
    from acta.events as d
    where acta.require_present_v1(upto, '{}')
      and d.collection = name and d.topic in ('collection.deleted', 'collection.renamed') and d.seq <= upto
      and not exists (
          select from acta.events as u
          where u.collection = name and u.topic = 'collection.created' and u.seq > d.seq and u.seq <= upto
            and u.meta ->> 'revert' = d.seq::text
      )
$$;
