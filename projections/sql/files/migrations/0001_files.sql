-- What is known of the bytes of files: every content a file has had, and where it lies.
create table acta.file_contents (
    id bigint generated always as identity primary key,
    file uuid not null,
    location text not null,
    path text not null,
    sha256 text not null,
    size bigint not null,
    at timestamptz not null default current_timestamp,
    replaced_at timestamptz
);
create index file_contents_file on acta.file_contents (file, id desc);
create index file_contents_sha256 on acta.file_contents (sha256);
create index file_contents_path on acta.file_contents (location, path);

-- What still has to happen to objects. Written in the transaction of the row that demands it, so a crash at any
-- moment leaves either no trace or a task. An upload under way is a removal that its commit calls off.
create table acta.file_tasks (
    id bigint generated always as identity primary key,
    kind text not null check (kind in ('upload', 'remove', 'move', 'swap')),
    location text not null,
    path text not null,
    target text,
    keep text,
    attempts integer not null default 0,
    due timestamptz not null default current_timestamp
);
create unique index file_tasks_upload on acta.file_tasks (location, path) where kind = 'upload';
create index file_tasks_due on acta.file_tasks (due);
create index directus_files_disk on acta.directus_files (storage, filename_disk);
