"""Takes over a database that the real reference made, and asks what the reference was asked before.

`python -m bench takeover` makes it anew.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.support import samples
from tests.support.http import client
from tests.support.server import Server, acta, running_server

EDITOR_EMAIL, EDITOR_PASSWORD, EDITOR_TOKEN = "editor@example.com", "editor's secret", "editor-static-token"
ADMIN_TOKEN, ADMIN_PASSWORD = "bench-admin-token", "bench-password"
ANSWERS: dict[str, Any] = json.loads(
    gzip.decompress((samples.DATA / "directus-11.answers.json.gz").read_bytes())
)
USERS_TABLES = (
    "languages quotes site stories stories_blocks stories_tags stories_translations tags topics untracked"
)


@pytest.fixture(scope="module")
def taken(postgres_url: str, postgres_programs: Path) -> Iterator[str]:
    """URL of a database that was taken over."""
    name = f"acta_takeover_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        url = psycopg.conninfo.make_conninfo(postgres_url, dbname=name)
        try:
            samples.load("directus-11", url, postgres_programs)
            done = acta(url, "migrate-from-directus", "--source", url, "--quiet")
            assert done.returncode == 0, done.stderr
            yield url
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def server(taken: str) -> Iterator[Server]:
    with running_server(taken) as running:
        yield running


def test_nothing_of_the_users_has_changed(taken: str, postgres_url: str, postgres_programs: Path) -> None:
    """All tables, the old ones included, are dumped as they were loaded, but for the targets of four keys."""
    before = _lines(gzip.decompress((samples.DATA / "directus-11.sql.gz").read_bytes()).decode())
    command = [str(postgres_programs / "pg_dump"), "--no-owner", "--no-privileges", "--schema=public", taken]
    after = _lines(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    assert after[True] == before[True]
    gone, new = before[False] - after[False], after[False] - before[False]
    assert new == {line.replace("REFERENCES public.directus_", "REFERENCES acta.directus_") for line in gone}
    assert {line.split()[2] for line in gone} == {"stories_author_foreign", "stories_cover_foreign"}


def _lines(dump: str) -> dict[bool, Any]:
    """The rows in their order, and the set of all other lines."""
    kept = [
        line for line in dump.splitlines() if line and not line.startswith(("--", "SET ", "\\", "SELECT"))
    ]
    rows = [line for line in kept if "\t" in line]
    return {True: sorted(rows), False: {line for line in kept if "\t" not in line and " SCHEMA " not in line}}


async def test_answers_are_those_of_the_reference(server: Server) -> None:
    differences: list[str] = []
    async with client(server, ADMIN_TOKEN) as http:
        for path, expected in ANSWERS.items():
            found = await http.request("GET", path)
            assert found.status == 200, path
            differences += compare(_comparable(path, expected), _comparable(path, found.body), path)
    left = [one for one in differences if not one.startswith(EXPECTED)]
    assert not left, "\n".join(left)


# What belongs to the Studio alone, and what is documented as different.
PRESENTATION = {
    "icon",
    "interface",
    "display",
    "display_options",
    "options",
    "width",
    "hidden",
    "sort",
    "note",
    "readonly",
    "conditions",
    "translations",
    "group",
    "required",
}
EXPECTED = (
    # A view has neither defaults nor indexes; the other is known of no field of the reference.
    "/fields/directus_deployments.webhook_secret",
    "/fields/directus_activity.",
    "/fields/directus_revisions.",
    "/collections/directus_webhooks",
    "/fields/directus_webhooks.",
    "/relations/directus_webhooks.",
    "/collections/seen",
    "/fields/seen.",
)


def _comparable(path: str, answer: Any) -> Any:
    rows = answer["data"]
    if path.startswith("/permissions"):
        return [row for row in rows if "id" in row]
    if path.startswith(("/activity", "/revisions")):
        return _renumbered(rows)
    if path in ("/collections", "/fields", "/relations"):
        return {_name(row): _structure(row) for row in rows}
    return rows


def _renumbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The places of rows instead of their ids; ours are below zero."""
    places = {row["id"]: place for place, row in enumerate(rows)}
    return [
        {
            **row,
            "id": places[row["id"]],
            **({"parent": places.get(row["parent"])} if "parent" in row else {}),
            **({"revisions": len(row["revisions"])} if "revisions" in row else {}),
        }
        for row in rows
    ]


def _name(row: dict[str, Any]) -> str:
    parts = [row["collection"], row.get("field"), (row.get("meta") or {}).get("one_field")]
    return ".".join(part for part in parts if part)


def _structure(row: dict[str, Any]) -> dict[str, Any]:
    meta, schema = row.get("meta") or {}, row.get("schema") or {}
    left_out = PRESENTATION if meta.get("system") else set()
    return {
        **row,
        "meta": {name: value for name, value in meta.items() if name not in left_out},
        # The system's tables live in a schema of their own, which clients need not know.
        "schema": {name: value for name, value in schema.items() if name != "foreign_key_schema"},
    }


def compare(expected: Any, found: Any, place: str) -> Iterator[str]:
    """Where two answers differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in {**expected, **found}:
            yield from compare(expected.get(name), found.get(name), f"{place}/{name}")
    elif isinstance(expected, list) and isinstance(found, list):
        for index, (left, right) in enumerate(zip_longest(expected, found)):
            yield from compare(left, right, f"{place}/{index}")
    elif expected != found:
        yield f"{place}: {expected!r}, not {found!r}"


async def test_people_come_in_as_before(server: Server) -> None:
    async with client(server, None) as http:
        for email, password in ((EDITOR_EMAIL, EDITOR_PASSWORD), ("admin@example.com", ADMIN_PASSWORD)):
            assert (await http.post("/auth/login", {"email": email, "password": password})).data[
                "access_token"
            ]
    async with client(server, EDITOR_TOKEN) as http:
        assert (await http.get("/users/me")).data["email"] == EDITOR_EMAIL
        stories = (await http.get("/items/stories", fields="id,status,topic.code", sort="id")).data
        assert [row["id"] for row in stories] == [1, 4, 5, 6, 7, 8, 9, 10, 11]
        assert (await http.patch("/items/stories/1", {"title": "Edited"})).status == 200
        assert (await http.patch("/items/stories/1", {"rank": 1})).status == 403


async def test_life_goes_on(server: Server, taken: str) -> None:
    async with client(server, ADMIN_TOKEN) as http:
        user = (await http.post("/users", {"email": "new@example.com", "badge": "N-1"})).data["id"]
        story = (await http.post("/items/stories", {"title": "New", "author": user})).data
        assert story["id"] == 13
        field = (await http.post("/fields/stories", {"field": "more", "type": "string", "meta": {}})).data
        assert field["meta"]["id"] == 49
        newest = (await http.get("/activity", sort="-id", limit="1")).data[0]
        assert newest["id"] > 0
        past = {"collection": {"_eq": "stories"}, "item": {"_eq": "1"}}
        history = (await http.get("/revisions", filter=past, sort="id", fields="id,delta")).data
        assert [row["id"] < 0 for row in history] == [True] * 4 + [False]
        assert (await http.post(f"/utils/revert/{history[0]['id']}", None)).status == 204
        assert (await http.get("/items/stories/1", fields="title")).data == {"title": "Story 1"}
    for command in (("rebuild", "--check"), ("verify",)):
        done = acta(taken, *command)
        assert done.returncode == 0, done.stdout + done.stderr


def test_once_is_enough(taken: str) -> None:
    again = acta(taken, "migrate-from-directus", "--source", taken, "--quiet")
    assert again.returncode == 0
    assert "was taken over before" in again.stderr


def test_what_can_not_be_taken_over(database_url: str, postgres_programs: Path) -> None:
    def refused() -> str:
        done = acta(database_url, "migrate-from-directus", "--source", database_url, "--quiet")
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "holds none" in refused()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("create table directus_users (id uuid)")
        assert "version before 11" in refused()
        connection.execute("drop table directus_users")
        samples.load("directus-11", database_url, postgres_programs)
        with running_server(database_url):
            pass
        assert "has begun a log" in refused()
        assert connection.execute("select count(*) from acta.directus_users").fetchone() == (1,)
        connection.execute("drop schema acta cascade")
        connection.execute("update directus_settings set ai_openai_api_key = 'encrypted'")
        connection.execute("update directus_users set tfa_secret = 'JBSWY3DPEHPK3PXP'")
        connection.execute("alter table directus_users add extension_column int")
        connection.execute("update directus_users set extension_column = 1")
    done = acta(database_url, "migrate-from-directus", "--source", database_url, "--quiet")
    assert done.returncode == 0, done.stderr
    assert "not taken over: directus_settings.ai_openai_api_key of 1 rows" in done.stderr
    assert "not taken over: directus_users.extension_column of 2 rows" in done.stderr
    with psycopg.connect(database_url) as connection:
        log = str(connection.execute("select payload::text from acta.events").fetchall())
        secrets = connection.execute("select tfa_secret from acta.directus_users").fetchall()
    assert "JBSWY3DPEHPK3PXP" not in log
    assert EDITOR_TOKEN not in log
    assert all(stored.startswith("sealed:") for (stored,) in secrets)


def test_a_database_in_use_is_left_alone(database_url: str, postgres_programs: Path) -> None:
    samples.load("directus-11", database_url, postgres_programs)
    with psycopg.connect(database_url) as busy:
        busy.execute("update directus_users set title = 'busy'")
        done = acta(database_url, "migrate-from-directus", "--source", database_url, "--quiet")
        assert done.returncode == 1
        assert "stop Directus first" in done.stderr
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from acta.events").fetchone() == (0,)
