"""Preparing: by many processes at once, again and again; the rows a project begins with."""

import asyncio
import hashlib

from argon2 import PasswordHasher
from psycopg import sql

from domain.settings import Settings
from projections.database import Database
from projections.prepare import prepare
from projections.system.bootstrap import PUBLIC_POLICY, bootstrap
from projections.tables.introspect import load_model
from tests.system.conftest import Log

GIVEN = Settings.parse({"ADMIN_EMAIL": "Ada@example.com", "ADMIN_PASSWORD": "secret", "ADMIN_TOKEN": "token"})


async def test_many_at_once(database_url: str) -> None:
    opened = [await Database.open(database_url, maximum=2) for _ in range(4)]
    try:
        await asyncio.gather(*(prepare(each) for each in opened))
        await asyncio.gather(*(prepare(each) for each in opened))
        async with opened[0].connection() as connection:
            model = await load_model(connection, schemas=("public",))
        assert len(model.collections) == 30
    finally:
        for each in opened:
            await each.close()


async def test_first_rows(database: Database, log: Log) -> None:
    made = await asyncio.gather(*(bootstrap(database, GIVEN) for _ in range(3)))
    (created,) = [each for each in made if each is not None]
    assert (created.email, created.password, created.token) == ("Ada@example.com", None, None)
    users = await log.rows("select * from acta.directus_users")
    assert len(users) == 1
    user = users[0]
    assert (user["first_name"], user["last_name"], user["status"]) == ("Admin", "User", "active")
    assert user["token"] == hashlib.sha256(b"token").hexdigest()
    assert PasswordHasher().verify(user["password"], "secret")
    assert user["password"].startswith("$argon2id$")
    policies = await log.rows("select * from acta.directus_policies order by admin_access")
    assert [(each["name"], each["icon"], each["admin_access"], each["app_access"]) for each in policies] == [
        ("$t:public_label", "public", False, False),
        ("Administrator", "verified", True, True),
    ]
    assert policies[0]["id"] == PUBLIC_POLICY
    access = await log.rows('select role, "user", policy, sort from acta.directus_access order by sort')
    assert access == [
        {"role": None, "user": None, "policy": PUBLIC_POLICY, "sort": 1},
        {"role": user["role"], "user": None, "policy": policies[1]["id"], "sort": None},
    ]
    settings = await log.rows("select id, project_name, project_color from acta.directus_settings")
    assert settings == [{"id": 1, "project_name": "Directus", "project_color": "#6644FF"}]


async def test_first_rows_are_events_but_no_activity(database: Database, log: Log) -> None:
    await bootstrap(database, GIVEN)
    events = await log.rows("select collection, item, payload from acta.events order by seq")
    assert [each["collection"].removeprefix("directus_") for each in events] == [
        "policies", "policies", "roles", "access", "access", "users", "settings",
    ]  # fmt: skip
    for each in events:
        table = sql.Identifier("acta", each["collection"])
        statement = sql.SQL("select to_jsonb(t) as row from {} as t where id::text = %s").format(table)
        assert (await log.rows(statement, each["item"]))[0]["row"] == each["payload"]
    assert await log.activity() == []
    assert await log.rows("select id from acta.directus_revisions") == []


async def test_what_is_not_given_is_made_up(database: Database, log: Log) -> None:
    created = await bootstrap(database, Settings.parse({}))
    assert created is not None
    assert created.password
    assert created.token
    (user,) = await log.rows("select email, password, token from acta.directus_users")
    assert user["email"] == created.email
    assert user["token"] == hashlib.sha256(created.token.encode()).hexdigest()
    assert PasswordHasher().verify(user["password"], created.password)
