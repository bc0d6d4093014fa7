-- The foreign keys a server makes when the relations are registered; for the database of the limit.
alter table articles
    add foreign key (author) references authors (id) on delete set null;

alter table comments
    add foreign key (article) references articles (id) on delete cascade,
    add foreign key (author) references authors (id) on delete set null;

alter table article_tags
    add foreign key (articles_id) references articles (id) on delete cascade,
    add foreign key (tags_id) references tags (id) on delete cascade;
