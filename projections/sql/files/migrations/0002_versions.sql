-- What a file was called and declared as while it had earlier contents; null where that was not noted yet.
alter table acta.file_contents add column type text, add column filename_download text;
create index file_contents_replaced on acta.file_contents (replaced_at) where replaced_at is not null;

-- Contents that come back are copied: other files and moments may refer to the same object.
alter table acta.file_tasks drop constraint file_tasks_kind_check;
alter table acta.file_tasks add check (kind in ('upload', 'remove', 'move', 'swap', 'copy'));
create index file_tasks_path on acta.file_tasks (location, path);
create index file_tasks_target on acta.file_tasks (location, target) where target is not null;
create index file_tasks_keep on acta.file_tasks (location, keep) where keep is not null;
