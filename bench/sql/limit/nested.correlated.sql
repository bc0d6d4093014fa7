-- A correlated subquery for everything, m2o included.
\set year random(2019, 2023)
\set month random(1, 12)
\set day random(1, 28)
with page as materialized (
    select id, title, status, published_at, author
    from articles
    where status = 'published' and published_at < make_timestamptz(:year, :month, :day, 0, 0, 0, 'UTC')
    order by published_at desc
    limit 50
)
select json_build_object('data', coalesce(json_agg(json_build_object(
    'id', page.id, 'title', page.title, 'status', page.status,
    'published_at', to_char(page.published_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"'),
    'author', (
        select json_build_object('id', authors.id, 'name', authors.name) from authors where authors.id = page.author
    ),
    'comments', (
        select coalesce(json_agg(json_build_object(
            'id', few.id, 'body', few.body,
            'author', (select json_build_object('name', authors.name) from authors where authors.id = few.author)
        ) order by few.id), '[]')
        from (select id, body, author from comments where article = page.id order by id limit 100) as few
    ),
    'tags', (
        select coalesce(json_agg(json_build_object(
            'tags_id',
            (select json_build_object('id', tags.id, 'name', tags.name) from tags where tags.id = few.tags_id)
        ) order by few.id), '[]')
        from (select id, tags_id from article_tags where articles_id = page.id order by id limit 100) as few
    )
) order by page.published_at desc), '[]'))
from page;
