"""Helpers of the log's tests: rows, writers that stall and give up, and a look at the seals."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

from projections.database import Database

TABLE = """
    create table public.things (id int primary key, counter int not null default 0, text text);
"""
CREATE = """
    with r as (insert into public.things (id, text) values (%(id)s, %(text)s) returning *)
    insert into acta.events (topic, collection, item, payload)
    select 'item.created', 'things', r.id::text, to_jsonb(r) from r
"""
UPDATE = """
    with r as (update public.things set counter = counter + 1, text = %(text)s where id = %(id)s returning *)
    insert into acta.events (topic, collection, item, payload)
    select 'item.updated', 'things', r.id::text, jsonb_build_object('counter', r.counter, 'text', r.text)
    from r
"""
DELETE = """
    with r as (delete from public.things where id = %(id)s returning *)
    insert into acta.events (topic, collection, item) select 'item.deleted', 'things', r.id::text from r
"""
# seq by position, straight from the definition of a seal.
SEALED = """
    select first_position + row_number() over (partition by id order by seq) - 1, seq
    from acta.seals, unnest(members) range, generate_series(lower(range), upper(range) - 1) seq
    order by 1
"""


class GivenUpError(Exception):
    """A writer changed its mind: its transaction is rolled back."""


async def rows(database: Database, statement: str, values: Any = None) -> list[Any]:
    async with database.connection() as connection:
        return await (await connection.execute(statement, values)).fetchall()


async def value(database: Database, statement: str, values: Any = None) -> Any:
    ((found,),) = await rows(database, statement, values)
    return found


async def run(database: Database, *statements: str, **values: Any) -> None:
    async with database.connection() as connection:
        for statement in statements:
            await connection.execute(statement, values or None)


async def write(database: Database, count: int, collection: str = "things") -> None:
    """Append events of as many items."""
    await run(
        database,
        """
        insert into acta.events (topic, collection, item, payload)
        select 'item.created', %(collection)s, n::text, jsonb_build_object('id', n, 'text', 'number ' || n)
        from generate_series(1, %(count)s) n
        """,
        collection=collection,
        count=count,
    )


async def storm(database: Database, writers: int, transactions: int, items: int, seed: int) -> None:
    """Writers on few items: several statements a transaction, stalls, rollbacks."""

    async def writer(number: int) -> None:
        chance = random.Random(f"{seed}/{number}")
        for _ in range(transactions):
            try:
                async with database.transaction() as connection:
                    # In order of the key, so that writers wait for each other but never in a circle.
                    for item in sorted(chance.sample(range(items), chance.choice((1, 1, 1, 2, 4)))):
                        text = f"{number}/{chance.random()}"
                        await connection.execute(UPDATE, {"id": item, "text": text})
                        if chance.random() < 0.1:
                            await asyncio.sleep(chance.random() * 0.1)
                    if chance.random() < 0.1:
                        raise GivenUpError
            except GivenUpError:
                continue

    await asyncio.gather(*(writer(number) for number in range(writers)))


async def assert_all_sealed_once(database: Database) -> None:
    """Positions are dense from 1, and each event of the log has exactly one."""
    sealed: Sequence[tuple[int, int]] = await rows(database, SEALED)
    assert [position for position, _ in sealed] == list(range(1, len(sealed) + 1))
    events = [seq for (seq,) in await rows(database, "select seq from acta.events order by seq")]
    assert sorted(seq for _, seq in sealed) == events


async def assert_items_in_order(database: Database) -> None:
    """The order of positions is, per item, the order of seq."""
    sealed = {seq: position for position, seq in await rows(database, SEALED)}
    last: dict[str, int] = {}
    for item, seq in await rows(database, "select item, seq from acta.events order by seq"):
        assert last.get(item, 0) < sealed[seq]
        last[item] = sealed[seq]


async def assert_fold_equals_rows(database: Database) -> None:
    different = await rows(
        database,
        """
        select folded.item, state, to_jsonb(things) from (
            select item, acta.fold(payload order by seq) state
            from acta.events where collection = 'things' group by item
        ) folded full join public.things on things.id::text = folded.item
        where state is distinct from to_jsonb(things)
        """,
    )
    assert different == []
