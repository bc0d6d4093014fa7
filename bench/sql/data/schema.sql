-- The tables of the benchmark. Foreign keys are missing on purpose: each server makes them when it is told of
-- the relations, as it does for its own tables; for the limit they are in constraints.sql.
create table authors (
    id serial primary key,
    name varchar(120) not null,
    email varchar(255) not null unique,
    bio text,
    country varchar(2) not null,
    active boolean not null default true,
    joined date not null,
    external_id uuid not null
);

create table articles (
    id serial primary key,
    title varchar(255) not null,
    slug varchar(255),
    status varchar(20) not null default 'draft',
    summary text,
    body text,
    author integer,
    published_at timestamptz,
    views integer not null default 0,
    rating numeric(4, 2),
    featured boolean not null default false,
    options json
);

create table comments (
    id serial primary key,
    article integer not null,
    author integer,
    body text not null,
    approved boolean not null default true,
    created_at timestamptz not null
);

create table tags (
    id serial primary key,
    name varchar(60) not null unique,
    color varchar(7) not null
);

create table article_tags (
    id serial primary key,
    articles_id integer,
    tags_id integer
);
