-- Changed columns and event in one statement, and the whole item as the answer.
\set id random(1, 100000)
\set number random(1, 1000000)
with written as (
    update articles
    set title = 'A better title ' || :number::text, summary = 'Summary ' || :number::text || ', rewritten.'
    where id = :id
    returning *
), logged as (
    insert into limits.events (topic, collection, item, actor, payload)
    select 'item.updated', 'articles', id::text, '8a6e0804-2bd0-4672-b79d-d97027f9071a',
        jsonb_build_object('title', title, 'summary', summary)
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
    || ',"comments":[' || coalesce((
        select string_agg(comments.id::text, ',' order by comments.id)
        from comments where comments.article = written.id
    ), '') || ']'
    || ',"tags":[' || coalesce((
        select string_agg(article_tags.id::text, ',' order by article_tags.id)
        from article_tags where article_tags.articles_id = written.id
    ), '') || ']}' || '}'
from written;
