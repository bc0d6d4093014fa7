-- A page of flat columns.
\set year random(2019, 2023)
\set month random(1, 12)
\set day random(1, 28)
with page as materialized (
    select id, title, slug, status, author, published_at, views
    from articles
    where status = 'published' and published_at < make_timestamptz(:year, :month, :day, 0, 0, 0, 'UTC')
    order by published_at desc
    limit 50
)
select '{"data":[' || coalesce(string_agg(
    '{"id":' || page.id
    || ',"title":' || to_json(page.title)
    || ',"slug":' || coalesce(to_json(page.slug)::text, 'null')
    || ',"status":' || to_json(page.status)
    || ',"author":' || coalesce(page.author::text, 'null')
    || ',"published_at":' || coalesce(
        to_char(page.published_at at time zone 'UTC', '"\""YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z\""'), 'null'
    )
    || ',"views":' || page.views || '}',
    ','
), '') || ']}'
from page;
