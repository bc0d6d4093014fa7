"""Chinook and Pagila: every table and view, every column's type in both readings.

Each line of `chinook.txt` and `pagila.txt` is a table and its columns as `name:type`, with the type of
`/fields` after a slash where it differs from that of items, `*` for the key, `!` for NOT NULL, and `>` before
a relation's target.
"""

from pathlib import Path

import pytest

from domain.model import Collection, CollectionKind, Model
from projections.database import Database
from projections.tables.introspect import load_model
from tests.support import samples

HERE = Path(__file__).parent


def told(model: Model, collection: Collection) -> str:
    parts = []
    for name, entry in collection.fields.items():
        column = entry.column
        assert column is not None
        kind = entry.type if entry.type == entry.schema_type else f"{entry.type}/{entry.schema_type}"
        side = model.side(collection.name, name)
        related = f">{side.relation.related}" if side else ""
        flags = ("*" if column.primary_key else "") + ("" if column.nullable else "!")
        parts.append(f"{name.replace(' ', '_')}:{kind}{flags}{related}")
    return " ".join(parts)


async def model_of(name: str, url: str, programs: Path) -> Model:
    samples.load(name, url, programs)
    async with await Database.open(url) as database, database.connection() as connection:
        return await load_model(connection, schemas=("public",))


@pytest.mark.parametrize("name", ["chinook", "pagila"])
async def test_every_column(name: str, database_url: str, postgres_programs: Path) -> None:
    model = await model_of(name, database_url, postgres_programs)
    seen = [f"{table} {told(model, each)}" for table, each in model.collections.items()]
    assert seen == (HERE / f"{name}.txt").read_text().splitlines()


async def test_pagilas_peculiarities(database_url: str, postgres_programs: Path) -> None:
    model = await model_of("pagila", database_url, postgres_programs)
    collections = model.collections
    film, payment = collections["film"], collections["payment"]
    views = [name for name, each in collections.items() if each.kind is CollectionKind.VIEW]
    assert views == [name for name, each in collections.items() if not each.writable]
    assert film.columns["rating"].labels == ("G", "PG", "PG-13", "R", "NC-17")
    assert film.columns["rating"].sql_type == "public.mpaa_rating"
    assert (film.columns["release_year"].data_type, film.columns["release_year"].base_type) == (
        "year",
        "integer",
    )
    assert film.columns["special_features"].data_type == "text[]"
    assert collections["film_actor"].primary_key == ("actor_id", "film_id")
    assert [name for name, each in collections.items() if not each.returning] == ["payment"]
    assert not payment.triggers
    assert film.triggers
