-- Page of keys first, one aggregation per relation joined on the page's keys, JSON written as text. The window
-- enforces the 100 children a parent may show; its sort also orders the aggregation, so it costs next to nothing.
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
        string_agg(
            '{"id":' || id || ',"body":' || to_json(body)
            || ',"author":' || coalesce('{"name":' || to_json(name) || '}', 'null') || '}',
            ','
        ) as list
    from (
        select
            comments.article, comments.id, comments.body, authors.name,
            row_number() over (partition by comments.article order by comments.id) as place
        from comments left join authors on authors.id = comments.author
        where comments.article = any (array(select id from page))
    ) as numbered
    where place <= 100
    group by article
), tag_lists as (
    select
        articles_id,
        string_agg(
            '{"tags_id":' || coalesce('{"id":' || id || ',"name":' || to_json(name) || '}', 'null') || '}', ','
        ) as list
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
select '{"data":[' || coalesce(string_agg(
    '{"id":' || page.id || ',"title":' || to_json(page.title) || ',"status":' || to_json(page.status)
    || ',"published_at":' || coalesce(
        to_char(page.published_at at time zone 'UTC', '"\""YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z\""'), 'null'
    )
    || ',"author":' || coalesce('{"id":' || authors.id || ',"name":' || to_json(authors.name) || '}', 'null')
    || ',"comments":[' || coalesce(comment_lists.list, '') || ']'
    || ',"tags":[' || coalesce(tag_lists.list, '') || ']}',
    ',' order by page.published_at desc
), '') || ']}'
from page
left join authors on authors.id = page.author
left join comment_lists on comment_lists.article = page.id
left join tag_lists on tag_lists.articles_id = page.id;
