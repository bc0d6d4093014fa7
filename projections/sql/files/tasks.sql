-- name: lock_paths
-- Whoever gives paths to rows or an upload does so alone. However many they are, they share 256 locks.
select pg_advisory_xact_lock(%(class)s, bucket)
from (
    select distinct hashtext(location || ':' || path) & 255 as bucket
    from unnest(%(locations)s::text[], %(paths)s::text[]) as w (location, path)
    order by bucket
) as held;

-- name: reserve
-- Take a path for an upload, unless a file has it or another upload is under way to it; whether something is left to do
-- there before.
with taken as (
    insert into acta.file_tasks (kind, location, path, due)
    select 'upload', %(location)s, %(path)s, clock_timestamp() + make_interval(secs => %(seconds)s)
    where not exists (select from acta.directus_files where storage = %(location)s and filename_disk = %(path)s)
    on conflict do nothing
    returning id
)
select id, exists (
    select from acta.file_tasks
    where location = %(location)s and (path = %(path)s or target = %(path)s or keep = %(path)s)
      and kind not in ('upload', 'variants'))
from taken;

-- name: taken
-- Whether another file has one of some paths, or an upload is under way to it.
with wanted as (
    select * from unnest(%(locations)s::text[], %(paths)s::text[], %(files)s::text[]) as w (location, path, file)
)
select exists (
    select from wanted as w join acta.directus_files as f on f.storage = w.location and f.filename_disk = w.path
    where f.id::text <> w.file
) or exists (
    select from wanted as w join acta.file_tasks as t on t.location = w.location and t.path = w.path
    where t.kind = 'upload'
);

-- name: move
-- Objects that are to be moved; the contents of their files follow.
with moves as (
    select * from unnest(%(files)s::text[], %(locations)s::text[], %(paths)s::text[], %(targets)s::text[])
        with ordinality as m (file, location, path, target, place)
), contents as (
    update acta.file_contents as c set path = m.target
    from moves as m where c.file = m.file::uuid and c.replaced_at is null
)
insert into acta.file_tasks (kind, location, path, target)
select 'move', location, path, target from moves order by place;

-- name: in_the_way
-- The tasks that still have to do with a path before an upload may go there.
select id from acta.file_tasks
where location = %(location)s and (path = %(path)s or target = %(path)s or keep = %(path)s) and kind not in ('upload', 'variants')
order by id;

-- name: unknown
-- Those of some objects that no task and no contents know of.
select path from unnest(%(paths)s::text[]) as asked (path)
where not exists (select from acta.file_tasks as t where t.location = %(location)s and t.path = asked.path)
  and not exists (select from acta.file_contents as c where c.location = %(location)s and c.path = asked.path);

-- name: prolong
-- Put off the removal that threatens uploads which are still running.
update acta.file_tasks set due = greatest(due, clock_timestamp() + make_interval(secs => %(seconds)s))
where id = any(%(ids)s) and kind = 'upload';

-- name: is_waiting
-- Whether an upload is still expected.
select exists (select from acta.file_tasks where id = %(id)s and kind = 'upload');

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

-- name: keep_files
-- Keep the contents of files that are deleted by their checksums; objects without one are removed.
with old as (
    select c.id, c.location, c.path, '.versions/' || left(c.sha256, 2) || '/' || c.sha256 as keep,
           f.type, f.filename_download
    from acta.file_contents as c left join acta.directus_files as f on f.id = c.file
    where c.file::text = any(%(files)s) and c.replaced_at is null
), kept as (
    update acta.file_contents as c
    set replaced_at = clock_timestamp(), path = old.keep, type = old.type, filename_download = old.filename_download
    from old where c.id = old.id
)
insert into acta.file_tasks (kind, location, path, target)
select 'move', location, path, keep from old
union all
select 'remove', f.storage, f.filename_disk, null from acta.directus_files as f
where f.id::text = any(%(files)s) and f.filename_disk is not null
  and not exists (select from old where old.location = f.storage and old.path = f.filename_disk);

-- name: purge
-- Remove what deleted files had, once it has been kept long enough.
with gone as (
    delete from acta.file_contents as c
    where c.replaced_at < clock_timestamp() - make_interval(secs => %(seconds)s)
      and not exists (select from acta.directus_files as f where f.id = c.file)
    returning c.id, c.location, c.path
)
insert into acta.file_tasks (kind, location, path)
select distinct 'remove', g.location, g.path from gone as g
where not exists (
    select from acta.file_contents as c
    where c.location = g.location and c.path = g.path and c.id not in (select id from gone)
);

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
where due <= clock_timestamp() and kind <> 'variants' and (%(ids)s::bigint[] is null or id = any(%(ids)s))
  -- Tasks on one object are done in their order.
  and not exists (
      select from acta.file_tasks as e
      where e.location = t.location and e.path in (t.path, t.target, t.keep) and e.id < t.id and e.kind not in ('upload', 'variants'))
  and not exists (
      select from acta.file_tasks as e
      where e.location = t.location and e.target in (t.path, t.target, t.keep) and e.id < t.id and e.kind <> 'variants')
  and not exists (
      select from acta.file_tasks as e
      where e.location = t.location and e.keep in (t.path, t.target, t.keep) and e.id < t.id)
order by id limit 1 for update of t skip locked;

-- name: lease_variants
-- The next file whose variants are to be made, for whoever asked, for some time; not before its object is in its place.
update acta.file_tasks set due = clock_timestamp() + make_interval(secs => %(seconds)s), attempts = attempts + 1
where id = (
    select id from acta.file_tasks as t
    where kind = 'variants' and due <= clock_timestamp() and not exists (
        select from acta.file_tasks as e where e.location = t.location and e.target = t.path and e.kind <> 'variants')
    order by due limit 1 for update skip locked
)
returning id, target, attempts;

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
