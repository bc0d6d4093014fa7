-- A page of 100 articles with all fields; the keys of the related rows by one aggregation per relation.
\set page random(1, 10)
with page as materialized (
    select * from articles order by id limit 100 offset (:page - 1) * 100
), comment_lists as (
    select article, string_agg(id::text, ',') as list
    from (
        select article, id, row_number() over (partition by article order by id) as place
        from comments where article = any (array(select id from page))
    ) as numbered
    where place <= 100
    group by article
), tag_lists as (
    select articles_id, string_agg(id::text, ',') as list
    from (
        select articles_id, id, row_number() over (partition by articles_id order by id) as place
        from article_tags where articles_id = any (array(select id from page))
    ) as numbered
    where place <= 100
    group by articles_id
)
select '{"data":[' || coalesce(string_agg(
    '{"id":' || page.id
    || ',"title":' || to_json(page.title)
    || ',"slug":' || coalesce(to_json(page.slug)::text, 'null')
    || ',"status":' || to_json(page.status)
    || ',"summary":' || coalesce(to_json(page.summary)::text, 'null')
    || ',"body":' || coalesce(to_json(page.body)::text, 'null')
    || ',"author":' || coalesce(page.author::text, 'null')
    || ',"published_at":' || coalesce(
        to_char(page.published_at at time zone 'UTC', '"\""YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z\""'), 'null'
    )
    || ',"views":' || page.views
    || ',"rating":' || coalesce('"' || page.rating || '"', 'null')
    || ',"featured":' || to_json(page.featured)
    || ',"options":' || coalesce(page.options::text, 'null')
    || ',"comments":[' || coalesce(comment_lists.list, '') || ']'
    || ',"tags":[' || coalesce(tag_lists.list, '') || ']}',
    ',' order by page.id
), '') || ']}'
from page
left join comment_lists on comment_lists.article = page.id
left join tag_lists on tag_lists.articles_id = page.id;
