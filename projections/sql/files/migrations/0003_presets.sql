-- Variants that presets name are made by workers.
alter table acta.file_tasks drop constraint file_tasks_kind_check;
alter table acta.file_tasks add constraint file_tasks_kind_check
    check (kind in ('upload', 'remove', 'move', 'swap', 'copy', 'variants'));
create index file_tasks_variants on acta.file_tasks (due) where kind = 'variants';
