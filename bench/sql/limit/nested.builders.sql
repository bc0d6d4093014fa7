-- nested.sql with json_build_object in place of text: what a readable planner would write first.
\set year random(2019, 2023)
\set month random(1, 12)
\set day random(1, 28)
with page as materialized (
    select id, title, status, published_at, author
    from articles
    where status = 'published' and published_at < make_timestamptz(:year, :month, :day, 0, 0, 0, 'UTC')
    order by published_at desc
    limit 50
), comment_lists as (
    select
        article,
        json_agg(json_build_object(
            'id', id, 'body', body, 'author', case when author is not null then json_build_object('name', name) end
        )) as list
    from (
        select
            comments.article, comments.id, comments.body, authors.id as author, authors.name,
            row_number() over (partition by comments.article order by comments.id) as place
        from comments left join authors on authors.id = comments.author
        where comments.article = any (array(select id from page))
    ) as numbered
    where place <= 100
    group by article
), tag_lists as (
    select
        articles_id,
        json_agg(json_build_object(
            'tags_id', case when id is not null then json_build_object('id', id, 'name', name) end
        )) as list
    from (
        select
            article_tags.articles_id, tags.id, tags.name,
            row_number() over (partition by article_tags.articles_id order by article_tags.id) as place
        from article_tags left join tags on tags.id = article_tags.tags_id
        where article_tags.articles_id = any (array(select id from page))
    ) as numbered
    where place <= 100
    group by articles_id
)
select json_build_object('data', coalesce(json_agg(json_build_object(
    'id', page.id, 'title', page.title, 'status', page.status,
    'published_at', to_char(page.published_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"'),
    'author', case when authors.id is not null then json_build_object('id', authors.id, 'name', authors.name) end,
    'comments', coalesce(comment_lists.list, '[]'),
    'tags', coalesce(tag_lists.list, '[]')
) order by page.published_at desc), '[]'))
from page
left join authors on authors.id = page.author
left join comment_lists on comment_lists.article = page.id
left join tag_lists on tag_lists.articles_id = page.id;
