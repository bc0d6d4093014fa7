-- One lateral subquery per relation and parent: the usual shape, and the one a limit seems to ask for.
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
    'author', case when authors.id is not null then json_build_object('id', authors.id, 'name', authors.name) end,
    'comments', comment_lists.list,
    'tags', tag_lists.list
) order by page.published_at desc), '[]'))
from page
left join authors on authors.id = page.author
left join lateral (
    select coalesce(json_agg(json_build_object(
        'id', few.id, 'body', few.body,
        'author', case when authors.id is not null then json_build_object('name', authors.name) end
    ) order by few.id), '[]') as list
    from (select id, body, author from comments where article = page.id order by id limit 100) as few
    left join authors on authors.id = few.author
) as comment_lists on true
left join lateral (
    select coalesce(json_agg(json_build_object(
        'tags_id', case when tags.id is not null then json_build_object('id', tags.id, 'name', tags.name) end
    ) order by few.id), '[]') as list
    from (select id, tags_id from article_tags where articles_id = page.id order by id limit 100) as few
    left join tags on tags.id = few.tags_id
) as tag_lists on true;
