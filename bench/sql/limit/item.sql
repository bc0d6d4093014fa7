-- One item with all fields; the o2m and m2m aliases show the keys of their rows.
\set id random(1, 100000)
select '{"data":' || '{"id":' || articles.id
    || ',"title":' || to_json(articles.title)
    || ',"slug":' || coalesce(to_json(articles.slug)::text, 'null')
    || ',"status":' || to_json(articles.status)
    || ',"summary":' || coalesce(to_json(articles.summary)::text, 'null')
    || ',"body":' || coalesce(to_json(articles.body)::text, 'null')
    || ',"author":' || coalesce(articles.author::text, 'null')
    || ',"published_at":' || coalesce(
        to_char(articles.published_at at time zone 'UTC', '"\""YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z\""'), 'null'
    )
    || ',"views":' || articles.views
    || ',"rating":' || coalesce('"' || articles.rating || '"', 'null')
    || ',"featured":' || to_json(articles.featured)
    || ',"options":' || coalesce(articles.options::text, 'null')
    || ',"comments":[' || coalesce((
        select string_agg(comments.id::text, ',' order by comments.id)
        from comments where comments.article = articles.id
    ), '') || ']'
    || ',"tags":[' || coalesce((
        select string_agg(article_tags.id::text, ',' order by article_tags.id)
        from article_tags where article_tags.articles_id = articles.id
    ), '') || ']}' || '}'
from articles
where articles.id = :id;
