-- What a sensible owner of these tables would index: foreign keys and the column lists are sorted by.
create index on articles (author);
create index on articles (published_at);
create index on comments (article);
create index on comments (author);
create index on article_tags (articles_id);
create index on article_tags (tags_id);
