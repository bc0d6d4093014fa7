"""Secrets never leave: planted everywhere, looked for in everything that comes out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest

from domain.access.sealed import Seal
from domain.log import Record
from domain.streams.cloud_events import Form, secret_fields
from projections.database import Database
from projections.tables.store import ModelStore
from tests.access.listening import outside
from tests.access.planting import BOUND, GIVEN, MAIL, SECRET_FIELDS, VALUES, plant
from tests.support import oauth
from tests.support.http import Client
from tests.support.server import ADMIN_TOKEN, Server, acta, environment, start
from tests.support.smtp import Mailbox
from tests.support.waiting import until


@pytest.fixture(scope="module")
def provider() -> Iterator[oauth.Provider]:
    with ExitStack() as stack:
        yield stack.enter_context(oauth.provider())


@pytest.fixture(scope="module")
def extra(provider: oauth.Provider) -> dict[str, str]:
    url = provider.url
    return {
        "LOG_LEVEL": "trace",
        "LOG_REQUESTS": "true",
        "LOG_STYLE": "raw",
        "WEBSOCKETS_ENABLED": "true",
        "HISTORY_COLLECTIONS": "safe,directus_users",
        "IMPORT_IP_DENY_LIST": "10.0.0.0/8",
        "METRICS_ENABLED": "true",
        "EMAIL_SMTP_PASSWORD": MAIL,
        "GIVEN": GIVEN,
        "FLOWS_ENV_ALLOW_LIST": "GIVEN",
        "AUTH_PROVIDERS": "plain,tree",
        "AUTH_PLAIN_DRIVER": "oauth2",
        "AUTH_PLAIN_CLIENT_ID": oauth.CLIENT,
        "AUTH_PLAIN_CLIENT_SECRET": oauth.SECRET,
        "AUTH_PLAIN_AUTHORIZE_URL": f"{url}/authorize",
        "AUTH_PLAIN_ACCESS_URL": f"{url}/token",
        "AUTH_PLAIN_PROFILE_URL": f"{url}/me",
        "AUTH_PLAIN_ALLOW_PUBLIC_REGISTRATION": "true",
        "AUTH_TREE_DRIVER": "ldap",
        "AUTH_TREE_CLIENT_URL": "ldap://127.0.0.1:1",
        "AUTH_TREE_BIND_PASSWORD": BOUND,
        "AUTH_TREE_USER_DN": "dc=example",
    }


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secrets") / "log"


@pytest.fixture(scope="module")
def server(served_url: str, port: int, mail: Mailbox, extra: dict[str, str], log: Path) -> Iterator[Server]:
    settings = {
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "EMAIL_TRANSPORT": "smtp",
        "EMAIL_SMTP_HOST": "127.0.0.1",
        "EMAIL_SMTP_PORT": str(mail.port),
        "LOGIN_STALL_TIME": "10",
        **extra,
    }
    with log.open("wb") as stream:
        running = start(served_url, port=port, extra=settings, stderr=stream.fileno())
        try:
            yield running
        finally:
            assert running.stop() == 0


@pytest.fixture
async def browser(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(server.url, cookie_jar=jar) as session:
        yield session


async def answers(api: Client, server: Server) -> AsyncIterator[tuple[str, str]]:
    """What an administrator can ask for, by where."""
    places = [
        "users",
        "shares",
        "items/safe",
        "activity",
        "revisions",
        "versions",
        "settings",
        "flows",
        "operations",
        "webhooks",
        "notifications",
        "access",
    ]
    for place in places:
        asked = {"fields": "*.*" if place in ("users", "shares") else "*", "limit": -1}
        yield place, json.dumps((await api.get(f"/{place}", **asked)).data)
        for form in ("csv", "json", "xml", "yaml"):
            exported = await api.get(f"/{place}", **asked, export=form)
            assert exported.status == 200, place
            yield f"{place} as {form}", str(exported.body)
    async for place, text in histories(api):
        yield place, text
    for webhook in (await api.get("/webhooks")).data:
        yield "deliveries", json.dumps((await api.get(f"/webhooks/{webhook['id']}/deliveries")).data)
    for path, names in (
        ("/graphql", "safe { id code pin key sealed }"),
        ("/graphql/system", "users { id email password token tfa_secret auth_data } shares { password }"),
        ("/graphql/system", "revisions(limit: -1) { data delta } activity(limit: -1) { item }"),
    ):
        answer = await api.post(path, {"query": f"{{ {names} }}"})
        yield f"{path} {names}", json.dumps(answer.data)
    for path in (
        "/schema/snapshot",
        "/server/info",
        "/server/health",
        "/server/specs/oas",
        "/permissions/me",
        "/permissions/explain?collection=safe",
        "/server/specs/events",
        "/metrics",
        "/extensions",
    ):
        yield path, str((await api.get(path)).body)
    yield "/sockets", await frames(server)


async def histories(api: Client) -> AsyncIterator[tuple[str, str]]:
    """What is told of the past, by where."""
    for place, name in (("users", "directus_users"), ("items/safe", "safe")):
        past = await api.get(f"/{place}", fields="*", as_of="1s")
        yield f"{place} of the past", str(past.body)
        changes = await api.get("/utils/diff", **{"from": "1", "collection": name, "limit": "1000"})
        yield f"differences of {place}", json.dumps(changes.data)
        for row in (await api.get(f"/{place}", fields="id")).data:
            yield f"blame of {place}", json.dumps((await api.get(f"/utils/blame/{name}/{row['id']}")).data)
        for entry in (await api.get("/activity", filter={"collection": name}, limit=-1)).data:
            path, body = "/utils/undo?dry=true", {"activity": entry["id"]}
            yield f"undo of {place}", str((await api.post(path, body)).body)


async def frames(server: Server) -> str:
    """What subscribers hear."""
    heard = []
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{server.url}/websocket") as socket:
        await socket.send_json({"type": "auth", "access_token": ADMIN_TOKEN})
        heard.append((await socket.receive(10)).data)
        for place in ("directus_users", "directus_shares", "safe"):
            await socket.send_json({"type": "subscribe", "collection": place})
            heard.append((await socket.receive(10)).data)
    return "\n".join(heard)


def tables(url: str) -> Iterator[tuple[str, str]]:
    """Every row of our own tables, and of the users'."""
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "select oid::regclass::text from pg_class where relkind in ('r', 'p')"
            " and relnamespace in ('acta'::regnamespace, 'public'::regnamespace)"
        ).fetchall()
        for (name,) in names:
            rows = connection.execute(f"select t::text from {name} as t").fetchall()  # noqa: S608
            yield name, "\n".join(text for (text,) in rows)


async def published(url: str) -> str:
    """What Kafka would be sent."""
    async with await Database.open(url) as database:
        models = await ModelStore.open(database)
        form = Form(
            "/", "{collection}", "schema", True, 10**9, lambda name: secret_fields(models.current, name)
        )
        from projections.log.listing import Choice, listing

        found: list[Record] = []
        async for _, records in listing(database, 0, Choice()):
            found += records
    return "\n".join(str(message.value) for record in found for message in form.messages(record))


def commands(url: str, folder: Path, extra: dict[str, str]) -> Iterator[tuple[str, str]]:
    """What the command line prints and writes."""
    lines = (
        "log",
        "log --json",
        "settings",
        "users list",
        "schema snapshot",
        "followers list",
        "diff 1 --collection safe",
    )
    for words in lines:
        done = acta(url, *words.split(), extra=extra)
        assert done.returncode == 0, done.stderr
        yield f"acta {words}", done.stdout + done.stderr


async def flows_ran(url: str) -> bool:
    """Whether the runs of flows are over."""
    with psycopg.connect(url) as connection:
        text = "select count(*) filter (where finished is null), count(*) from acta.flow_runs"
        waiting, runs = connection.execute(text).fetchone() or (1, 0)
        return not waiting and runs > 5


def digests(url: str) -> tuple[dict[str, str], str]:
    """What is stored of secrets; and that of a hash which the API may show."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select password from acta.directus_users where password is not null union all"
            " select token from acta.directus_users where token is not null union all"
            " select password from acta.directus_shares where password is not null union all"
            " select token from acta.directus_sessions union all select key from safe"
        ).fetchall()
        [(pin,)] = connection.execute("select pin from safe").fetchall()
    return {f"stored {number}": text for number, (text,) in enumerate(found)}, pin


async def test_secrets_never_leave(
    server: Server,
    api: Client,
    anonymous: Client,
    browser: aiohttp.ClientSession,
    provider: oauth.Provider,
    mail: Mailbox,
    served_url: str,
    extra: dict[str, str],
    log: Path,
    tmp_path: Path,
) -> None:
    async with outside() as heard:
        planted = await plant(server, api, anonymous, browser, provider, heard, mail)
    await until(lambda: flows_ran(served_url), 75)
    planted.stored, pin = digests(served_url)
    wrong: list[str] = []

    def look(place: str, text: str, *secrets: dict[str, str]) -> None:
        for among in secrets:
            wrong.extend(f"{name} in {place}" for name, secret in among.items() if secret in text)

    async for place, text in answers(api, server):
        look(place, text, planted.gone, planted.kept, planted.stored)
        if not any(shown in place for shown in ("safe", "/sockets")):
            look(place, text, {"the pin's hash": pin})
    hidden = {**planted.kept, **planted.stored, "the pin's hash": pin}
    for place, texts in heard.heard.items():
        look(place, "\n".join(texts), planted.gone, planted.kept, planted.stored)
        if place in ("/webhook", "/flow"):
            look(place, "\n".join(texts), {"the pin's hash": pin})
    for place, text in planted.refusals.items():
        look(place, text, planted.gone, hidden)
    look("kafka", await published(served_url), planted.gone, hidden)
    for place, text in tables(served_url):
        look(place, text, planted.gone)
    for place, text in commands(served_url, tmp_path, extra):
        look(place, text, planted.gone)
    exported = tmp_path / "export"
    assert acta(served_url, "log", "export", str(exported)).returncode == 0
    look("acta log export", exported.read_text(), planted.gone)
    look("log output", log.read_text(), planted.gone, hidden)
    assert not wrong, "\n".join(wrong)


async def test_masks_that_come_back_are_no_new_secrets(api: Client, server: Server, served_url: str) -> None:
    fields = [{**entry, "field": f"my_{entry['field']}"} for entry in SECRET_FIELDS]
    await api.post("/collections", {"collection": "mine", "meta": {}, "schema": {}, "fields": fields})
    values = {f"my_{name}": value for name, value in VALUES.items()}
    item = (await api.post("/items/mine", values)).data["id"]
    ai = "ai_openai_api_key"
    assert (await api.patch("/settings", {ai: "key-of-ai-10"})).data[ai] == "**********"

    def stored() -> list[Any]:
        with psycopg.connect(served_url) as connection:
            rows = connection.execute(
                "select my_key, my_sealed, (select ai_openai_api_key from acta.directus_settings) from mine"
            )
            return list(rows.fetchall()[0])

    before = stored()
    seal = Seal(environment("")["SECRET"])
    assert [seal.open(text) for text in before[1:]] == [VALUES["sealed"], "key-of-ai-10"]
    assert all(text.startswith("sealed:") for text in before[1:])
    shown = (await api.get(f"/items/mine/{item}")).data
    assert shown["my_key"] == shown["my_sealed"] == "**********"
    assert (await api.patch(f"/items/mine/{item}", {**shown, "my_pin": "new"})).status == 200
    assert (await api.patch("/settings", {ai: "**********", "project_name": "x"})).status == 200
    assert stored() == before
    await api.patch(f"/items/mine/{item}", {"my_sealed": None, "my_key": None})
    assert stored()[:2] == [None, None]
    revision = (await api.get("/revisions", filter={"collection": "mine"}, sort="id", limit=1)).data[0]
    before = stored()
    await api.patch(f"/items/mine/{item}", {"my_pin": "another"})
    with psycopg.connect(served_url) as connection:
        [(hashed,)] = connection.execute("select my_pin from mine").fetchall()
        assert (await api.post(f"/utils/revert/{revision['id']}", {})).status == 204
        assert connection.execute("select my_pin from mine").fetchall() == [(hashed,)]
