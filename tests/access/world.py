"""The world of the access oracle: collections related in every way, random rows, and a history."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import sql

from domain.model import Model
from projections.database import Connection
from projections.system.definitions import built_in
from tests.support.worlds import World

Row = Mapping[str, Any]
Data = Mapping[str, Sequence[Row]]

ACTIVITY, REVISIONS = "directus_activity", "directus_revisions"
SIZE = 12
OWNERS = tuple(UUID(int=number) for number in range(1, 4))


@dataclass(frozen=True)
class Step:
    """A relation as a field sees it: rows of ``target`` whose ``there`` equals this row's ``here``.

    ``kind`` names the column that must hold the target's name (many-to-any), or nothing.
    """

    target: str
    here: str
    there: str
    many: bool = False
    kind: str = ""


STEPS: Mapping[tuple[str, str], Step] = {
    ("people", "boss"): Step("people", "boss", "id"),
    ("people", "staff"): Step("people", "id", "boss", many=True),
    ("people", "team"): Step("teams", "team", "id"),
    ("people", "books"): Step("books", "id", "author", many=True),
    ("teams", "members"): Step("people", "id", "team", many=True),
    ("books", "author"): Step("people", "author", "id"),
    ("books", "notes"): Step("notes", "id", "book", many=True),
    ("books", "blocks"): Step("blocks", "id", "book", many=True),
    ("notes", "book"): Step("books", "book", "id"),
    ("blocks", "book"): Step("books", "book", "id"),
    ("blocks", "item:people"): Step("people", "item", "id", kind="kind"),
    ("blocks", "item:teams"): Step("teams", "item", "id", kind="kind"),
    (REVISIONS, "activity"): Step(ACTIVITY, "activity", "id"),
    (ACTIVITY, "revisions"): Step(REVISIONS, "id", "activity", many=True),
}
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "people": {"id": "number", "n": "number", "s": "text", "boss": "number", "team": "number"},
    "teams": {"id": "number", "n": "number", "s": "text"},
    "books": {"id": "number", "n": "number", "s": "text", "author": "number", "owner": "uuid"},
    "notes": {"id": "number", "n": "number", "s": "text", "book": "number", "owner": "uuid"},
    "blocks": {"id": "number", "n": "number", "book": "number", "kind": "text", "item": "key"},
    ACTIVITY: {"id": "number", "action": "text", "collection": "text", "item": "text", "user": "uuid"},
    REVISIONS: {
        "id": "number", "collection": "text", "item": "text", "activity": "number", "data": "json",
        "delta": "json",
    },
}  # fmt: skip
OWN = ("people", "teams", "books", "notes", "blocks")


def world() -> World:
    """The collections of the user."""
    made = World()
    types = {"number": "integer", "text": "string", "key": "string", "uuid": "uuid"}
    for name in OWN:
        made.collection(name, {field: types[kind] for field, kind in COLUMNS[name].items()})
    made.m2o("people", "boss", "people", "staff", constraint=False)
    made.m2o("people", "team", "teams", "members")
    made.m2o("books", "author", "people", "books")
    made.m2o("notes", "book", "books", "notes", constraint=False)
    made.m2o("blocks", "book", "books", "blocks", constraint=False)
    made.m2a("blocks", "item", "kind", ["people", "teams"])
    return made


def model() -> Model:
    """The user's collections and the system's."""
    made, system = world().model(), built_in()
    return Model(1, {**made.collections, **system.collections}, (*made.relations, *system.relations))


def random_rows(chance: random.Random) -> Data:
    """Rows with NULLs, equal values, empty relations and keys that name nothing."""

    def number() -> Any:
        return chance.choice([None, 0, 1, 2, 3])

    def text() -> Any:
        return chance.choice([None, "", "a", "ab", "b", "1"])

    def key(extra: int = 0) -> Any:
        return chance.choice([None, *range(1, SIZE + 1 + extra)])

    def owner() -> Any:
        return chance.choice([None, *map(str, OWNERS)])

    keys = range(1, SIZE + 1)
    return {
        "people": [{"id": i, "n": number(), "s": text(), "boss": key(2), "team": key()} for i in keys],
        "teams": [{"id": i, "n": number(), "s": text()} for i in keys],
        "books": [{"id": i, "n": number(), "s": text(), "author": key(), "owner": owner()} for i in keys],
        "notes": [{"id": i, "n": number(), "s": text(), "book": key(2), "owner": owner()} for i in keys],
        "blocks": [
            {
                "id": i,
                "n": number(),
                "book": key(2),
                "kind": chance.choice([None, "people", "teams", "books"]),
                "item": chance.choice([None, "x", *map(str, keys)]),
            }
            for i in keys
        ],
    }


async def add_history(connection: Connection, chance: random.Random) -> None:
    """Events of all kinds, so that activity and revisions have something to show or hide."""
    for number in range(1, SIZE + 4):
        topic = chance.choice(["item.created", "item.updated", "item.updated", "item.deleted", "user.login"])
        payload = None if topic in ("item.deleted", "user.login") else {"n": number, "s": f"value {number}"}
        meta = {"fields": ["n", "s"]} if payload else None
        await connection.execute(
            "insert into acta.events (topic, collection, item, actor, request, payload, meta)"
            " values (%s, %s, %s, %s, gen_random_uuid(), %s, %s)",
            [
                topic,
                "directus_users" if topic == "user.login" else chance.choice(OWN),
                str(chance.randint(1, 4)),
                chance.choice([None, *OWNERS]),
                None if payload is None else json.dumps(payload),
                None if meta is None else json.dumps(meta),
            ],
        )


async def create(connection: Connection, rows: Data) -> None:
    """The tables and their rows, constraints included."""
    made = world()
    await made.create(connection)
    for name, entries in rows.items():
        await made.insert(connection, name, entries)
    for table, column, target in (("people", "team", "teams"), ("books", "author", "people")):
        await connection.execute(
            sql.SQL("ALTER TABLE {} ADD FOREIGN KEY ({}) REFERENCES {}").format(
                *map(sql.Identifier, (table, column, target))
            )
        )
