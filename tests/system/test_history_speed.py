"""History in a long log: what a page of it costs does not grow with the log."""

import time

import pytest

from projections.database import Database

EVENTS = """
    create table article (id serial primary key, title text, body text, n int, author int);
    insert into acta.events (topic, collection, item, actor, context, payload, meta)
    select 'item.created', 'article', i::text, gen_random_uuid(), 1,
           jsonb_build_object('id', i, 'title', 't', 'body', repeat('x', 100), 'n', 0, 'author', 1),
           '{"fields": ["title", "body"]}'
    from generate_series(1, 20000) as i;
    insert into acta.events (topic, collection, item, actor, context, payload, meta)
    select 'item.updated', 'article', (1 + i % 20000)::text, gen_random_uuid(), 1,
           jsonb_build_object('n', i), '{"fields": ["n"]}'
    from generate_series(1, 180000) as i;
    analyze acta.events;
"""
PAGES = {
    "select * from acta.directus_activity order by id desc limit 50": 0.04,
    "select * from acta.directus_activity order by timestamp desc limit 50": 0.04,
    "select * from acta.directus_activity where collection = 'article' and item = '77' order by id": 0.04,
    "select id, item from acta.directus_revisions order by id desc limit 50": 0.04,
    "select * from acta.directus_revisions order by id desc limit 50": 0.2,
    "select * from acta.directus_revisions where collection = 'article' and item = '77' order by id": 0.08,
    "select * from acta.directus_revisions where activity = 100000": 0.04,
}
"""Seconds that a statement may take at best, on a slow machine too; scans of this log take far longer."""

pytestmark = pytest.mark.slow


async def test_pages_are_read_by_index(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute(EVENTS)
        for statement, bound in PAGES.items():
            seconds = []
            for _ in range(10):
                start = time.perf_counter()
                rows = await (await connection.execute(statement)).fetchall()
                seconds.append(time.perf_counter() - start)
            assert rows
            assert min(seconds) < bound, (statement, seconds)
