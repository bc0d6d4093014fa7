-- name: add
-- The contents a file has from now on, and the task to make the variants that the project's presets name.
with added as (
    insert into acta.file_contents (file, location, path, sha256, size)
    values (%(file)s, %(location)s, %(path)s, %(sha256)s, %(size)s)
    returning file, location, path
)
insert into acta.file_tasks (kind, location, path, target)
select 'variants', location, path, file from added
where exists (
    select from acta.directus_settings
    where json_typeof(storage_asset_presets) = 'array' and json_array_length(storage_asset_presets) > 0
) and exists (select from acta.directus_files as f where f.id = added.file and f.type like 'image/%%');

-- name: current
-- The contents that a file has now.
select sha256, size, location, path from acta.file_contents
where file::text = %(file)s and replaced_at is null order by id desc limit 1;

-- name: retire
-- The contents a file had until now, what it was called then, and where they are kept; without a place they are forgotten.
with old as (
    select id from acta.file_contents where file::text = %(file)s and replaced_at is null
), kept as (
    update acta.file_contents as c set replaced_at = clock_timestamp(), path = %(keep)s, type = %(type)s,
        filename_download = %(name)s
    where id in (select id from old) and %(keep)s::text is not null
)
delete from acta.file_contents where id in (select id from old) and %(keep)s::text is null;

-- name: history
-- All contents of a file, the newest first, and what it was called while it had them.
select c.id, c.sha256, c.size, c.location, c.path, c.at, c.replaced_at,
       coalesce(c.type, f.type), coalesce(c.filename_download, f.filename_download)
from acta.file_contents as c join acta.directus_files as f on f.id = c.file
where c.file::text = %(file)s order by c.id desc;

-- name: kept_version
-- Earlier contents of a file that are kept, by their checksum; in a certain location where one is given.
select c.sha256, c.size, c.location, c.path, c.type, c.filename_download from acta.file_contents as c
where c.file::text = %(file)s and c.sha256 = %(sha256)s and c.replaced_at is not null
  and (%(location)s::text is null or c.location = %(location)s)
order by c.id desc limit 1;

-- name: same
-- The files whose contents are the same now.
select file::text from acta.file_contents where sha256 = %(sha256)s and replaced_at is null order by id;

-- name: same_as
-- The files whose contents are those of one now.
select o.file::text from acta.file_contents as c
join acta.file_contents as o on o.sha256 = c.sha256 and o.size = c.size and o.replaced_at is null
where c.file::text = %(file)s and c.replaced_at is null order by o.id;

-- name: duplicates
-- Contents that several files hold now; those that waste most first.
select sha256, min(size), array_agg(file::text order by id) from acta.file_contents
where replaced_at is null group by sha256 having count(*) > 1
order by (count(*) - 1) * min(size) desc, sha256 limit %(most)s;

-- name: asset
-- What serving a file takes, whatever the caller may read of it: an array in the order of `Asset`.
select json_build_array(
    f.storage, f.filename_disk, f.type, f.filesize, f.width, f.height, f.focal_point_x, f.focal_point_y,
    f.filename_download, f.modified_on,
    coalesce(
        (select c.sha256 from acta.file_contents as c
         where c.file = f.id and c.replaced_at is null order by c.id desc limit 1),
        f.uploaded_on::text, f.filesize::text, ''),
    exists (
        select from acta.directus_settings as s
        where f.id in (s.project_logo, s.public_background, s.public_foreground, s.public_favicon)),
    rules.storage_asset_transform, rules.storage_asset_presets,
    exists (
        select from acta.file_tasks as t where t.location = f.storage and t.target = f.filename_disk and t.kind <> 'variants'
    )
)
from acta.directus_files as f
left join (select storage_asset_transform, storage_asset_presets from acta.directus_settings limit 1) as rules on true
where f.id = $1;

-- name: default_folder
-- Where uploads go that name no folder.
select storage_default_folder::text from acta.directus_settings limit 1;

-- name: exists
-- Whether there is a file of an id.
select exists (select from acta.directus_files where id = %(file)s);

-- name: kept
-- Of one file, what a replacement keeps.
select id::text, storage, filename_disk, folder::text, title, description, metadata, filename_download, type
from acta.directus_files where id = %(file)s;

-- name: expired
-- Resumable uploads that nobody has finished in time.
select id::text from acta.directus_files
where tus_id is not null and created_on < clock_timestamp() - make_interval(secs => %(seconds)s);

-- name: upload
-- A resumable upload under way.
select id::text, uploaded_by::text, tus_data, filesize, created_on from acta.directus_files
where tus_id = %(tus_id)s;

-- name: rules
-- How files may be transformed.
select storage_asset_transform, storage_asset_presets from acta.directus_settings limit 1;

-- name: folders
-- A folder and all below it, parents first, each once.
with recursive tree (id, parent, name, depth) as (
    select id, parent, name, 0 from acta.directus_folders where id = %(folder)s
    union all
    select f.id, f.parent, f.name, t.depth + 1
    from acta.directus_folders as f join tree as t on f.parent = t.id
    where t.depth < 100 and f.id <> %(folder)s
)
select id::text, parent::text from (select distinct on (id) * from tree order by id, depth) as once
order by depth, name, id;

-- name: is_unfinished
-- Whether a file is a resumable upload under way.
select exists (select from acta.directus_files where id::text = lower(%(file)s) and tus_id is not null);
