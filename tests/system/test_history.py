"""Activity and revisions: what the views make of the log."""

from typing import Any
from uuid import uuid4

import pytest

from projections.database import Database
from projections.system.definitions import definitions
from tests.system.conftest import Log

TABLES = """
    create table owner (id serial primary key, name text);
    create table item (id serial primary key, title varchar(255), num int, big bigint, price numeric(10,2),
        secret varchar(255), hidden text, tags text, data json, at timestamptz, made timestamp, code char(4),
        owner int references owner, parent int);
    insert into acta.directus_collections (collection) values ('item');
    insert into acta.directus_fields (collection, field, special) values
        ('item', 'secret', 'hash'), ('item', 'hidden', 'conceal'), ('item', 'tags', 'cast-csv'),
        ('item', 'data', 'cast-json');
    insert into acta.directus_relations (many_collection, many_field, one_collection)
        values ('item', 'parent', 'item');
"""
ROW = {
    "id": 5, "title": "one", "num": 1, "big": 12, "price": 5.00, "secret": "$argon2id$x", "hidden": None,
    "tags": "a,b", "data": {"k": 1}, "at": "2026-01-31T08:00:00.5+00:00", "made": "2026-01-31T08:00:00",
    "code": "x   ", "owner": 3, "parent": None,
}  # fmt: skip
SHOWN = {
    "id": 5, "title": "one", "num": 1, "big": "12", "price": "5.0", "secret": "**********", "hidden": None,
    "tags": ["a", "b"], "data": {"k": 1}, "at": "2026-01-31T08:00:00.500Z", "made": "2026-01-31T08:00:00",
    "code": "x",
}  # fmt: skip
"""The row in the form of answers, without relations."""


@pytest.fixture(autouse=True)
async def _tables(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute(TABLES)


async def test_creation(log: Log) -> None:
    seq = await log.created(
        "item", 5, ROW, fields=["title", "num", "secret", "owner"], submitted={"num": "1"}
    )
    revision = await log.revision(seq)
    assert revision is not None
    assert revision["delta"] == revision["data"] == {"title": "one", "num": "1", "secret": "**********"}
    assert (revision["activity"], revision["collection"], revision["item"]) == (seq, "item", "5")
    assert (revision["parent"], revision["version"]) == (None, None)


async def test_creation_of_defaults_only(log: Log) -> None:
    for fields in ([], ["owner"]):
        revision = await log.revision(await log.created("item", 5, ROW, fields=fields))
        assert revision is not None
        assert revision["data"] is None
        assert revision["delta"] is None


async def test_update(log: Log) -> None:
    await log.created("item", 5, ROW)
    first = await log.updated("item", 5, {"num": 2, "owner": 4})
    second = await log.updated("item", 5, {"title": "two", "hidden": "h"}, submitted={"title": 2})
    revision = await log.revision(first)
    assert revision is not None
    assert revision["delta"] == {"num": 2, "owner": 4}
    assert revision["data"] == {**SHOWN, "num": 2}
    revision = await log.revision(second)
    assert revision is not None
    assert revision["delta"] == {"title": 2, "hidden": "**********"}
    assert revision["data"] == {**SHOWN, "num": 2, "title": "two", "hidden": "**********"}


async def test_an_update_of_nothing_is_activity_only(log: Log) -> None:
    await log.created("item", 5, ROW)
    nothing = await log.updated("item", 5, {})
    # A trigger changed something although nothing was submitted.
    triggered = await log.updated("item", 5, {"num": 3}, fields=[])
    assert await log.revision(nothing) is None
    assert await log.revision(triggered) is None
    assert await log.activity() == [("create", "item", "5")] + [("update", "item", "5")] * 2


async def test_the_same_again_is_a_revision(log: Log) -> None:
    await log.created("item", 5, ROW)
    revision = await log.revision(await log.updated("item", 5, {"num": 1}))
    assert revision is not None
    assert revision["delta"] == {"num": 1}


async def test_deletion_and_a_new_life(log: Log) -> None:
    await log.created("item", 5, ROW)
    gone = await log.event("item.deleted", "item", 5)
    assert await log.revision(gone) is None
    await log.created("item", 5, {**ROW, "title": "new", "num": None})
    revision = await log.revision(await log.updated("item", 5, {"num": 9}))
    assert revision is not None
    assert revision["data"] == {**SHOWN, "title": "new", "num": 9}
    assert [action for action, _, _ in await log.activity()] == ["create", "delete", "create", "update"]


async def test_adopted_and_observed_rows_count_but_show_nothing(log: Log) -> None:
    await log.event("item.adopted", "item", 5, ROW)
    await log.event("item.observed", "item", 5, {"title": "seen"}, action="update")
    revision = await log.revision(await log.updated("item", 5, {"num": 2}))
    assert revision is not None
    assert revision["data"] == {**SHOWN, "title": "seen", "num": 2}
    assert await log.activity() == [("update", "item", "5")]


async def test_what_nobody_did(log: Log) -> None:
    await log.created("item", 5, ROW, silent=True)
    await log.updated("item", 5, {"owner": None}, cause="cascade")
    await log.event("field.created", "item", "num", {"field": "num"})
    await log.event("collection.created", "item", "item", {"new": {}})
    await log.event("log.redacted", "item", 5, {"seq": 1})
    assert await log.activity() == []
    assert await log.rows("select id from acta.directus_revisions") == []


async def test_sessions(log: Log) -> None:
    user = str(uuid4())
    await log.event("user.login", "directus_users", user)
    await log.event("user.logout", "directus_users", user)
    assert await log.activity() == [("login", "directus_users", user), ("logout", "directus_users", user)]
    assert await log.rows("select id from acta.directus_revisions") == []


async def test_who_and_where(log: Log) -> None:
    actor = uuid4()
    await log.rows(
        "insert into acta.requests (ip, user_agent, origin) values ('10.0.0.1', 'curl', 'http://a')"
    )
    await log.rows(
        "insert into acta.events (topic, collection, item, actor, context, payload)"
        " values ('item.created', 'item', '1', %s, 1, '{}')",
        actor,
    )
    (row,) = await log.rows("select * from acta.directus_activity")
    assert row["timestamp"].utcoffset() is not None
    shown = {name: row[name] for name in ("user", "ip", "user_agent", "origin")}
    assert shown == {"user": actor, "ip": "10.0.0.1", "user_agent": "curl", "origin": "http://a"}
    assert list(row) == [
        "id", "action", "user", "timestamp", "ip", "user_agent", "collection", "item", "origin",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("accountability", "activities", "revisions"), [("all", 1, 1), ("activity", 1, 0), (None, 0, 0)]
)
async def test_accountability(accountability: str | None, activities: int, revisions: int, log: Log) -> None:
    await log.rows("update acta.directus_collections set accountability = %s", accountability)
    await log.created("item", 5, ROW)
    assert len(await log.activity()) == activities
    assert len(await log.rows("select id from acta.directus_revisions")) == revisions


async def test_untracked_collections(log: Log) -> None:
    await log.created("directus_presets", 1, {"id": 1})
    await log.created("owner", 1, {"id": 1})
    assert await log.activity() == [("create", "owner", "1")]


async def test_parents(log: Log) -> None:
    request = uuid4()
    parent = await log.created("owner", 3, {"id": 3, "name": "o"}, request=request)
    by_seq = await log.created("item", 5, ROW, request=request, parent=parent)
    later = {"collection": "owner", "item": "4"}
    by_name = await log.created("item", 6, {**ROW, "id": 6}, request=request, parent=later)
    await log.created("owner", 4, {"id": 4, "name": "other request"})
    expected = await log.updated("owner", 4, {"name": "p"}, request=request)
    for seq, found in ((by_seq, parent), (by_name, expected)):
        revision = await log.revision(seq)
        assert revision is not None
        assert revision["parent"] == found


async def test_a_parent_that_changed_in_nothing_is_none(log: Log) -> None:
    request = uuid4()
    child = await log.updated(
        "item", 5, {"num": 1}, request=request, parent={"collection": "owner", "item": "3"}
    )
    parent = await log.updated("owner", 3, {}, request=request)
    other = await log.updated("item", 6, {"num": 1}, request=request, parent=parent)
    for seq in (child, other):
        revision = await log.revision(seq)
        assert revision is not None
        assert revision["parent"] is None


async def test_versions(log: Log) -> None:
    version = uuid4()
    await log.created("item", 5, ROW)
    saved = await log.event("version.saved", "item", 5, {"num": 7}, version=str(version))
    assert await log.revision(saved) is None
    await log.rows(
        "insert into acta.directus_versions (id, key, collection, item) values (%s, 'draft', 'item', '5')",
        version,
    )
    revision = await log.revision(saved)
    assert revision is not None
    assert (revision["version"], revision["data"], revision["delta"]) == (version, {"num": 7}, {"num": 7})
    assert (await log.activity())[-1] == ("version_save", "item", "5")
    after = await log.revision(await log.updated("item", 5, {"title": "t"}))
    assert after is not None
    assert after["data"]["num"] == 1


async def test_a_deleted_collection_takes_its_history_along(log: Log) -> None:
    await log.created("item", 5, ROW)
    await log.created("owner", 1, {"id": 1})
    deleted = await log.event("collection.deleted", "item", "item", {"old": {}})
    assert await log.activity() == [("create", "owner", "1")]
    again = await log.created("item", 5, {"id": 5})
    assert [row["id"] for row in await log.rows("select id from acta.directus_revisions order by id")][
        1:
    ] == [again]
    await log.event("collection.created", "item", "item", {"new": {}}, revert=deleted)
    assert ("create", "item", "5") in await log.activity()
    assert len(await log.activity()) == 3


async def test_fields_that_came_and_went(log: Log) -> None:
    await log.created("item", 5, ROW)
    before = await log.updated("item", 5, {"num": 2, "hidden": "h", "title": "two"})
    await log.rows("alter table item add column fresh int, drop column hidden, drop column title")
    await log.rows("delete from acta.directus_fields where field = 'hidden'")
    old: dict[str, Any] = {"meta": {"special": ["conceal"]}}
    await log.event("field.deleted", "item", "hidden", {"field": "hidden", "old": old})
    await log.event("field.deleted", "item", "title", {"field": "title", "old": {"meta": None}})
    await log.event("field.created", "item", "fresh", {"field": "fresh", "new": {}, "filled": 4})
    revision = await log.revision(before)
    assert revision is not None
    assert revision["delta"] == {"num": 2, "hidden": "**********", "title": "two"}
    revision = await log.revision(await log.updated("item", 5, {"num": 3}))
    assert revision is not None
    expected = {name: value for name, value in SHOWN.items() if name not in ("hidden", "title")}
    assert revision["data"] == {**expected, "num": 3, "fresh": 4}


async def test_snapshots_are_the_base(log: Log) -> None:
    await log.created("item", 5, ROW)
    seq = await log.updated("item", 5, {"num": 2})
    # The snapshot tells otherwise, so that its use can be seen.
    await log.rows("insert into acta.snapshots values ('item', '5', %s, '{\"id\": 5, \"num\": 40}')", seq)
    revision = await log.revision(await log.updated("item", 5, {"title": "x"}))
    assert revision is not None
    assert (revision["data"]["num"], revision["data"]["title"], revision["data"]["big"]) == (40, "x", None)


async def test_secrets_of_system_collections(log: Log) -> None:
    user = str(uuid4())
    row = {
        "id": user,
        "email": "a@b.c",
        "password": "$argon2",
        "token": "abc",
        "tfa_secret": None,
        "tags": ["x"],
    }
    seq = await log.created("directus_users", user, row)
    revision = await log.revision(seq)
    assert revision is not None
    masked = {"password": "**********", "token": "**********"}
    assert revision["data"] == {**row, **masked}
    revision = await log.revision(await log.updated("directus_users", user, {"token": "def", "avatar": None}))
    assert revision is not None
    assert revision["delta"] == {"token": "**********", "avatar": None}
    assert "avatar" not in revision["data"]
    assert "role" not in revision["data"]
    assert revision["data"]["password"] == "**********"


async def test_specials_in_sql_are_those_of_the_definitions(log: Log) -> None:
    for name, definition in definitions().items():
        for entry in definition.fields:
            if entry.alias or definition.view:
                continue
            (row,) = await log.rows("select acta.system_special_v1(%s) as special", f"{name}.{entry.name}")
            if {"hash", "conceal", "encrypt"} & set(entry.special):
                expected = "conceal"
            elif entry.type == "csv":
                expected = "cast-csv"
            elif entry.type == "json-text":
                expected = "cast-json"
            elif entry.target is not None and entry.on_delete is None:
                expected = "m2o"
            else:
                expected = None
            assert row["special"] == expected, entry.name
