"""What the system asks of its own collections, and causes beyond them: once for a command of many rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from domain.access.caller import Caller
from domain.access.rights import Rights, Rule
from domain.errors import ActaError, Forbidden, InvalidPayload
from domain.model import RelationMeta
from domain.settings import QuerySettings, Settings
from domain.settings_access import AuthSettings
from projections.files.prepare import prepare as files_prepare
from tests.support.writing import Bench, counted

FEW, MANY = 3, 60
Payload = dict[str, Any]
MENTIONED = ("0b8c2f5e-1111-4111-8111-111111111111", "0b8c2f5e-2222-4222-8222-222222222222")


def policies(run: str, width: int) -> list[Payload]:
    return [
        {"name": "p", "permissions": [{"collection": "posts", "action": "read", "fields": ["*"]}] * width}
    ] * 2


def users(run: str, width: int) -> list[Payload]:
    return [
        {"email": f"{run}-{n}@example.com", "token": f"{run}-{n}", "status": "active", "title": "x"}
        for n in range(width)
    ]


def roles(run: str, width: int) -> list[Payload]:
    return [{"name": f"{run}-{n}"} for n in range(width)]


def translations(run: str, width: int) -> list[Payload]:
    return [{"key": f"{run}-{n}", "language": "en", "value": "x"} for n in range(width)]


def files(run: str, width: int) -> list[Payload]:
    return [
        {"storage": "local", "filename_download": "f", "filename_disk": f"{run}-{n}"} for n in range(width)
    ]


def on_items(run: str, width: int) -> list[Payload]:
    return [{"collection": "posts" if n % 2 else "authors", "item": str(n // 2 + 1)} for n in range(width)]


def comments(run: str, width: int) -> list[Payload]:
    text = " ".join(f"@{user}" for user in MENTIONED)
    return [{**target, "comment": f"{n} {text}"} for n, target in enumerate(on_items(run, width))]


def shares(run: str, width: int) -> list[Payload]:
    return [{**target, "name": "s"} for target in on_items(run, width)]


def versions(run: str, width: int) -> list[Payload]:
    return [{**target, "key": f"{run}"} for target in on_items(run, width)]


@pytest.fixture
def settings() -> Settings:
    return Settings(query=QuerySettings(), auth=AuthSettings(SECRET=SecretStr("a secret of the tests")))


def by_owner(bench: Bench) -> Rights:
    """The rights of a limited caller who may comment on, share and version what he sees."""
    rules: dict[Any, tuple[Rule, ...]] = {}
    for name in ("posts", "authors"):
        rules[name, "read"] = (Rule(frozenset({"id"}), {"id": {"_lt": 1000}}),)
        rules[name, "share"] = (Rule(frozenset(), {"id": {"_lt": 1000}}),)
    for name in ("directus_comments", "directus_shares", "directus_versions"):
        for action in ("create", "read", "update", "delete"):
            rules[name, action] = (Rule(None),)
    return Rights("owner", rules=rules)


@pytest.fixture
async def system(bench: Bench) -> Bench:
    """Items to speak of in collections with versions, and people to mention; the caller is one of them."""
    await files_prepare(bench.database)
    await bench.sql(
        "INSERT INTO acta.directus_collections (collection, versioning)"
        " VALUES ('posts', true), ('authors', true)"
    )
    for name in ("posts", "authors"):
        found = replace(bench.model.collections[name], meta={"versioning": True})
        collections = {**bench.model.collections, name: found}
        bench.model = replace(bench.model, collections=collections)
    await bench.create("authors", *[{"name": "A"}] * MANY)
    await bench.create("posts", *[{"title": "p"}] * MANY)
    await bench.create("directus_users", *[{"id": user} for user in MENTIONED])
    [administrating] = await bench.create("directus_policies", {"name": "a", "admin_access": True})
    [admin] = await bench.create("directus_users", {"email": "a@example.com", "status": "active"})
    await bench.create("directus_access", {"policy": administrating, "user": admin})
    policy = {"name": "p", "permissions": [{"collection": "posts", "action": "read", "fields": ["title"]}]}
    [seeing] = await bench.create("directus_policies", policy)
    await bench.create("directus_access", {"policy": seeing, "user": MENTIONED[0]})
    bench.command = replace(bench.command, caller=Caller(user=UUID(MENTIONED[1])))
    return bench


Change = Callable[[int, str], Payload]


@pytest.mark.parametrize(
    ("collection", "payloads", "change", "limited"),
    [
        ("directus_policies", policies, lambda n, key: {"id": key, "ip_access": [f"10.0.0.{n}"]}, False),
        ("directus_users", users, lambda n, key: {"id": key, "email": f"e{key}@example.com"}, False),
        (
            "directus_users",
            users,
            lambda n, key: {"id": key, "status": "suspended", "token": f"t{key}"},
            False,
        ),
        ("directus_roles", roles, lambda n, key: {"id": key, "parent": None}, False),
        ("directus_translations", translations, lambda n, key: {"id": key, "language": "de"}, False),
        ("directus_files", files, lambda n, key: {"id": key, "filename_disk": f"new/{key}"}, False),
        ("directus_comments", comments, lambda n, key: {"id": key, "comment": "x"}, True),
        ("directus_shares", shares, lambda n, key: {"id": key, "role": None}, True),
        ("directus_versions", versions, lambda n, key: {"id": key, "key": f"k{key}"}, True),
    ],
)
async def test_what_the_system_asks_of_its_collections_is_asked_once(
    system: Bench,
    monkeypatch: pytest.MonkeyPatch,
    collection: str,
    payloads: Callable[[str, int], list[Payload]],
    change: Change,
    limited: bool,
) -> None:
    if limited:
        system.command = replace(system.command, rights=by_owner(system))
    counts = []
    for width in (FEW, MANY):
        with counted(monkeypatch) as creating:
            keys = await system.create(collection, *payloads(f"{width}", width))
        changes = [change(n, key) for n, key in enumerate(keys)]
        with counted(monkeypatch) as changing:
            await system.writer.update_each(system.command, system.model, collection, changes)
        with counted(monkeypatch) as deleting:
            await system.delete(collection, *keys)
        counts.append((len(creating), len(changing), len(deleting)))
    assert counts[0] == counts[1]
    assert len(keys) == len(set(keys))
    assert sum(counts[1]) < 60


async def test_what_was_asked_for_all_was_asked_for_each(system: Bench) -> None:
    for collection, payloads in (
        ("directus_users", users),
        ("directus_translations", translations),
        ("directus_files", files),
        ("directus_versions", versions),
    ):
        await system.create(collection, *payloads("old", FEW))
        new, old = payloads("new", FEW), payloads("old", FEW)
        for batch in ([*new, old[-1]], [*new, new[0]]):
            with pytest.raises(ActaError):
                await system.create(collection, *batch)
        count = await system.sql(f"SELECT count(*) FROM acta.{collection}")  # noqa: S608
        assert count[0][0] == FEW + (1 + len(MENTIONED) if collection == "directus_users" else 0)
    notified = "SELECT item FROM acta.directus_notifications WHERE recipient = %s ORDER BY item"
    system.command = replace(system.command, rights=by_owner(system))
    await system.create("directus_comments", *comments("", 5))
    # One of the two mentioned sees posts, the other nothing.
    assert await system.sql(notified, MENTIONED[0]) == [("1",), ("2",)]
    assert await system.sql(notified, MENTIONED[1]) == []
    for collection, payload in (
        ("directus_comments", {"comment": "x"}),
        ("directus_shares", {}),
        ("directus_versions", {"key": "k"}),
    ):
        seen = {"collection": "posts", "item": "1", **payload}
        for item in ("1000", "no key"):
            with pytest.raises(Forbidden):
                await system.create(collection, seen, {**seen, "item": item})
    assert await system.sql("SELECT count(*) FROM acta.directus_shares") == [(0,)]


async def test_circles_of_roles_made_in_one_command_are_refused(system: Bench) -> None:
    first, second = await system.create("directus_roles", *roles("r", 2))
    circle = [{"id": first, "parent": second}, {"id": second, "parent": first}]
    with pytest.raises(InvalidPayload):
        await system.writer.update_each(system.command, system.model, "directus_roles", circle)
    nested = {"parent": second, "children": {"update": [{"id": second}], "create": [], "delete": []}}
    with pytest.raises(InvalidPayload):
        await system.update("directus_roles", [first], nested)
    with pytest.raises(InvalidPayload):
        await system.update("directus_roles", [first], {"parent": first})
    await system.update("directus_roles", [first], {"parent": second})
    assert await system.sql("SELECT parent FROM acta.directus_roles WHERE id = %s", second) == [(None,)]


async def test_deletions_nested_in_other_items_do_what_deletions_do(system: Bench) -> None:
    await system.define(
        "CREATE TABLE teams (id serial PRIMARY KEY);"
        " ALTER TABLE acta.directus_users ADD team integer REFERENCES teams",
        RelationMeta(50, "directus_users", "team", "teams", "people", one_deselect_action="delete"),
    )
    [team] = await system.create("teams", {"people": users("u", FEW)})
    gone = [
        key for (key,) in await system.sql("SELECT id::text FROM acta.directus_users WHERE team = %s", team)
    ]
    await system.create("directus_comments", comments("", 1)[0])
    await system.sql("UPDATE acta.directus_comments SET user_updated = %s", gone[0])
    await system.update("teams", [team], {"people": []})
    assert await system.sql("SELECT count(*) FROM acta.directus_users WHERE id::text = ANY (%s)", gone) == [
        (0,)
    ]
    changes = [
        payload for topic, _, payload, _ in await system.events("directus_comments") if topic == "updated"
    ]
    assert changes == [{"user_updated": None}]
