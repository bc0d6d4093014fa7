"""What is older than the retention isn't shown; the log keeps it."""

from projections.database import Database
from projections.log.verify import verify
from projections.system.retention import set_retention
from projections.time.moments import settle

EVENTS = """
    insert into acta.events (at, topic, collection, item, payload, meta)
    select now() - make_interval(days => n), 'item.created', 'notes', n::text, '{"a": 1}', '{}'
    from generate_series(0, 9) as n
"""
COUNTS = (
    "select (select count(*) from acta.directus_activity), (select count(*) from acta.directus_revisions)"
)


async def counts(database: Database) -> tuple[int, int]:
    async with database.connection() as connection:
        row = await (await connection.execute(COUNTS)).fetchone()
    assert row is not None
    return row[0], row[1]


async def test_older_entries_are_not_shown(prepared_url: str) -> None:
    async with await Database.open(prepared_url) as database:
        async with database.connection() as connection:
            await connection.execute(EVENTS)
        await settle(database)
        assert await counts(database) == (10, 10)
        day = 86_400.0
        await set_retention(database, {"activity": 4.5 * day, "revisions": 2.5 * day})
        assert await counts(database) == (5, 3)
        await set_retention(database, {"activity": None, "revisions": day})
        assert (await counts(database))[0] == 10
        outcome = await verify(database)
        assert (outcome.position, outcome.finding) == (10, None)
