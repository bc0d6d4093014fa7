-- Row and event in one statement, and the whole item as the answer. Its keys are new, so it has no related rows.
\set number random(1, 1000000)
with written as (
    insert into articles (title, slug, status, summary, body, author, published_at, views, rating, featured, options)
    values (
        'A new article ' || :number::text, 'new-article-' || :number::text, 'draft',
        'A summary of average length, as an editor writes it.',
        repeat('A paragraph of the text of a new article. ', 4),
        7, '2030-01-02T03:04:05Z', 3, 4.5, true, '{"layout":"wide","columns":2}'
    )
    returning *
), logged as (
    insert into limits.events (topic, collection, item, actor, payload)
    select 'item.created', 'articles', id::text, '8a6e0804-2bd0-4672-b79d-d97027f9071a', to_jsonb(written)
    from written
)
select '{"data":' || '{"id":' || written.id
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
    || ',"tags":[' || coalesce(null, '') || ']}' || '}'
from written;
