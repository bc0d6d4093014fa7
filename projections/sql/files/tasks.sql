-- name: reserve
-- Take a path for an upload, unless a file has it or another upload is under way to it.
insert into acta.file_tasks (kind, location, path, due)
select 'upload', %(location)s, %(path)s, clock_timestamp() + make_interval(secs => %(seconds)s)
where not exists (select from acta.directus_files where storage = %(location)s and filename_disk = %(path)s)
on conflict do nothing
returning id;

-- name: taken
-- Whether a file other than one has a path.
select exists (
    select from acta.directus_files
    where storage = %(location)s and filename_disk = %(path)s and id::text <> %(file)s
);

-- name: prolong
-- Put off the removal that threatens uploads which are still running.
update acta.file_tasks set due = clock_timestamp() + make_interval(secs => %(seconds)s)
where id = any(%(ids)s) and kind = 'upload';

-- name: call_off
-- The upload is part of a row now.
delete from acta.file_tasks where id = %(id)s and kind = 'upload' returning id;

-- name: abandon
-- The upload failed: its object goes now.
update acta.file_tasks set due = clock_timestamp(), kind = 'remove' where id = %(id)s and kind = 'upload';

-- name: add
-- A task on an object.
insert into acta.file_tasks (kind, location, path, target, keep)
values (%(kind)s, %(location)s, %(path)s, %(target)s, %(keep)s) returning id;

-- name: remove_files
-- Remove the objects of files that are deleted, and of their earlier contents unless another file has the same.
with gone as (
    delete from acta.file_contents where file::text = any(%(files)s) returning location, path, file
), objects (location, path) as (
    select storage, filename_disk from acta.directus_files
    where id::text = any(%(files)s) and filename_disk is not null
    union
    select g.location, g.path from gone as g
    where not exists (
        select from acta.file_contents as c
        where c.location = g.location and c.path = g.path and c.file::text <> all(%(files)s)
    )
)
insert into acta.file_tasks (kind, location, path) select 'remove', location, path from objects;

-- name: remove_parts
-- Remove the parts of resumable uploads.
insert into acta.file_tasks (kind, location, path)
select 'remove', f.storage, '.tus/' || f.tus_id || '/' || lpad(part, 20, '0')
from acta.directus_files as f, json_array_elements_text(f.tus_data -> 'parts') as part
where f.id::text = any(%(files)s) and f.tus_id is not null and json_typeof(f.tus_data -> 'parts') = 'array';

-- name: claim
-- The next task that is due, held by its lock until the transaction ends.
select id, kind, location, path, target, keep,
       exists (select from acta.directus_files as f where f.storage = t.location and f.filename_disk = t.path)
       or exists (select from acta.file_contents as c where c.location = t.location and c.path = t.path) as in_use
from acta.file_tasks as t
where due <= clock_timestamp() and (%(ids)s::bigint[] is null or id = any(%(ids)s))
  -- What still has to come to a place must be there before it goes from it.
  and not exists (
      select from acta.file_tasks as e
      where e.id < t.id and e.kind in ('move', 'swap') and e.location = t.location and e.target = t.path)
order by id limit 1 for update of t skip locked;

-- name: done
-- The task has been carried out.
delete from acta.file_tasks where id = %(id)s;

-- name: later
-- The task failed: again later, longer each time.
update acta.file_tasks
set attempts = attempts + 1,
    due = clock_timestamp() + make_interval(secs => least(3600, power(2, least(attempts, 12)))),
    kind = case when kind = 'upload' then 'remove' else kind end
where id = %(id)s;

-- name: pending
-- How many tasks are left.
select count(*) from acta.file_tasks;
