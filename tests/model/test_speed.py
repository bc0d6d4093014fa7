"""A model of 1,000 tables with 20 columns each, every field tracked: loaded quickly, changed more quickly.

The promise in seconds is measured by `python -m bench model`.
"""

import time

import pytest

from projections.database import Database
from projections.tables.introspect import load_model
from projections.tables.store import ModelStore
from tests.support.pace import Pace

LOAD_PIECES = 12
CHANGE_PIECES = 3
TRIES = 5

TABLES = """
    do $$ begin
        for i in 1..1000 loop
            execute format('create table t%s (id serial primary key, title varchar(255) not null,
                slug varchar(99) unique, body text, n int default 0, big bigint, price numeric(10,2),
                shown boolean default false, made timestamptz default now(), day date, j json, u uuid, f real,
                ref int, a text, b text, c text, d text, e text, g text)', i);
            execute format('create index on t%s (made)', i);
            if i > 1 then
                execute format('alter table t%s add foreign key (ref) references t%s', i, i - 1);
            end if;
            -- One transaction has no more locks than this.
            if i % 50 = 0 then commit; end if;
        end loop;
    end $$;
    insert into acta.directus_collections (collection) select 't' || i from generate_series(1, 1000) as i;
    insert into acta.directus_fields (collection, field, interface, special)
    select c.relname, a.attname, 'input', case a.attname when 'j' then 'cast-json' end
    from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
    where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace;
"""

pytestmark = pytest.mark.slow


@pytest.fixture
async def large(prepared: Database) -> Database:
    async with prepared.connection() as connection:
        for statement in TABLES.split("$$;"):
            await connection.execute(statement + ("$$" if "$$" in statement else ""))
    return prepared


async def test_a_thousand_tables(large: Database) -> None:
    loads, changes, pace = [], [], Pace()
    async with large.connection() as connection:
        for _ in range(TRIES):
            pace.look()
            start = time.perf_counter()
            model = await load_model(connection, schemas=("public",))
            loads.append(time.perf_counter() - start)
    assert sum(len(each.fields) for each in model.collections.values() if not each.system) == 20_000
    store = await ModelStore.open(large)
    async with large.connection() as connection:
        for number in range(TRIES):
            await connection.execute("alter table t500 alter column title set default 'x'")
            await connection.execute(
                "update acta.directus_fields set note = %s where collection = 't7'", [str(number)]
            )
            pace.look()
            start = time.perf_counter()
            await store.refresh()
            changes.append(time.perf_counter() - start)
    assert store.current.version == 1 + TRIES
    assert pace.pieces_in(loads) < LOAD_PIECES, (loads, pace.pieces)
    assert pace.pieces_in(changes) < CHANGE_PIECES, (changes, pace.pieces)
