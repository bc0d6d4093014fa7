-- Deterministic rows: every value follows from the row's number, so all databases hold the same.
-- Parents are drawn by hash, so their number of children varies (0 to about 12) as it does in life.
insert into authors (name, email, bio, country, active, joined, external_id)
select
    'Author ' || n,
    'author' || n || '@example.com',
    repeat('Writes about subject ' || n % 37 || '. ', 6),
    (array['DE', 'FR', 'GB', 'IT', 'PL', 'US', 'SE', 'ES'])[n % 8 + 1],
    n % 10 <> 0,
    date '2015-01-01' + n,
    md5('author' || n)::uuid
from generate_series(1, 1000) as n;

insert into articles (
    title, slug, status, summary, body, author, published_at, views, rating, featured, options
)
select
    'Article ' || n || ' on ' || md5('title' || n),
    'article-' || n,
    (array['published', 'published', 'published', 'draft', 'archived'])[n % 5 + 1],
    repeat('Summary of article ' || n || '. ', 5),
    repeat('Paragraph ' || md5('body' || n) || ' of the text. ', 12),
    n * 7919::bigint % 1000 + 1,
    timestamptz '2018-01-01 00:00:00+00' + n * interval '31 minutes 7 seconds',
    n * 104729::bigint % 100003,
    (n % 1000) / 100.0,
    n % 20 = 0,
    json_build_object('layout', 'wide', 'columns', n % 4 + 1, 'keywords', json_build_array('k' || n % 11, 'k' || n % 13))
from generate_series(1, 100000) as n;

insert into comments (article, author, body, approved, created_at)
select
    mod(('x' || left(md5('comment on' || n), 7))::bit(28)::integer, 100000) + 1,
    n * 6007::bigint % 1000 + 1,
    'Comment ' || n || ': ' || repeat(md5('comment' || n) || ' ', 3),
    n % 7 <> 0,
    timestamptz '2020-01-01 00:00:00+00' + n * interval '7 minutes'
from generate_series(1, 300000) as n;

insert into tags (name, color)
select 'tag-' || n, '#' || left(md5('tag' || n), 6)
from generate_series(1, 200) as n;

insert into article_tags (articles_id, tags_id)
select mod(('x' || left(md5('tag of' || n), 7))::bit(28)::integer, 100000) + 1, n * 31 % 200 + 1
from generate_series(1, 200000) as n;
