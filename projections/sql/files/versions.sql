-- name: aim
-- Where each of some files has its object now by what is known of its contents, where its row says it has it, and the
-- contents it had at a cut through the log.
select f.id::text, f.storage, f.filename_disk, c.sha256, c.location, c.path, e.sha256
from unnest(%(files)s::text[]) as asked (id)
left join acta.directus_files as f on f.id::text = asked.id
left join lateral (
    select sha256, location, path from acta.file_contents
    where file::text = asked.id and replaced_at is null order by id desc limit 1
) as c on true
left join lateral (
    select meta -> 'content' ->> 'sha256' as sha256 from acta.events
    where collection = 'directus_files' and item = asked.id and seq <= %(upto)s
      and not %(later)s::int8multirange @> seq and meta ? 'content'
    order by seq desc limit 1
) as e on true
where f.id is not null;

-- name: gone
-- Those of some files that have no row.
select asked.id from unnest(%(files)s::text[]) as asked (id)
where not exists (select from acta.directus_files as f where f.id::text = asked.id);

-- name: note
-- The event of contents that came back without a change of their own to the row.
insert into acta.events (topic, collection, item, actor, request, context, payload, meta)
values ('item.updated', 'directus_files', %(file)s, %(actor)s, %(request)s, %(context)s, '{}', %(meta)s);
