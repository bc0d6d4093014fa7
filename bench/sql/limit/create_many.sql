-- 2,000 rows and events from one JSON array in one statement; the array is stored as text, so it is parsed each time.
with given as (
    select new.*
    from limits.batches
    cross join lateral json_populate_recordset(null::articles, batches.body) as new
), written as (
    insert into articles (title, slug, status, summary, body, author, published_at, views, rating, featured, options)
    select title, slug, status, summary, body, author, published_at, views, rating, featured, options
    from given
    returning *
), logged as (
    insert into limits.events (topic, collection, item, actor, payload)
    select 'item.created', 'articles', id::text, '8a6e0804-2bd0-4672-b79d-d97027f9071a', to_jsonb(written)
    from written
)
select '{"data":[' || string_agg(
    '{"id":' || written.id
    || ',"title":' || to_json(written.title)
    || ',"slug":' || coalesce(to_json(written.slug)::text, 'null')
    || ',"status":' || to_json(written.status)
    || ',"summary":' || coalesce(to_json(written.summary)::text, 'null')
    || ',"body":' || coalesce(to_json(written.body)::text, 'null')
    || ',"author":' || coalesce(written.author::text, 'null')
    || ',"published_at":' || coalesce(
        to_char(written.published_at at time zone 'UTC', '"\""YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z\""'), 'null'
    )
    || ',"views":' || written.views
    || ',"rating":' || coalesce('"' || written.rating || '"', 'null')
    || ',"featured":' || to_json(written.featured)
    || ',"options":' || coalesce(written.options::text, 'null')
    || ',"comments":[' || coalesce(null, '') || ']'
    || ',"tags":[' || coalesce(null, '') || ']}',
    ',' order by written.id
) || ']}'
from written;
