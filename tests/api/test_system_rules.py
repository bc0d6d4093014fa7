"""What single system collections demand and do beyond their fields, on a server with followers and mail."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest

from domain.access.sealed import Seal
from tests.support.http import Client, client
from tests.support.server import Server, environment, running_server
from tests.support.smtp import Mailbox, mailbox

MASK = "**********"
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def mail() -> Iterator[Mailbox]:
    with mailbox() as box:
        yield box


@pytest.fixture(scope="module")
def server(served_url: str, mail: Mailbox) -> Iterator[Server]:
    settings = {
        "PUBLIC_URL": "https://cms.example.com/",
        **mail.settings,
    }
    with running_server(served_url, extra=settings) as running:
        yield running


@pytest.fixture
async def person(api: Client) -> AsyncIterator[dict[str, Any]]:
    """Somebody who may do everything, and is gone afterwards unless the test deleted him."""
    policies = {"create": [{"policy": {"name": "all", "admin_access": True, "app_access": True}}]}
    body = {"email": "p@example.com", "first_name": "P", "token": "token-of-p", "policies": policies}
    made = (await api.post("/users", body)).data
    yield made
    await api.delete(f"/users/{made['id']}")


def rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute(query.encode()).fetchall()]


async def test_secrets_are_encrypted_masked_and_stay(api: Client, served_url: str) -> None:
    seal = Seal(environment("")["SECRET"])
    field = {"field": "secret", "type": "text", "meta": {"special": ["encrypt"]}}
    assert (await api.post("/fields/notes", field)).status == 200
    made = [
        (await api.patch("/settings", {"ai_openai_api_key": "sk-of-settings"})).data["ai_openai_api_key"],
        (await api.post("/deployments", {"provider": "vercel", "credentials": "sk-of-deployment"})).data[
            "credentials"
        ],
        *[row["secret"] for row in (await api.post("/items/notes", [{"secret": "sk-of-a"}, {}])).data],
        (await api.patch("/items/notes/1", {"secret": "sk-of-b"})).data["secret"],
    ]
    assert made == [MASK, MASK, MASK, None, MASK]
    await api.patch("/settings", {"ai_openai_api_key": MASK, "project_name": "Plain"})
    await api.patch("/deployments/vercel", {"credentials": MASK, "options": {"a": 1}})
    stored = [
        *rows(served_url, "select ai_openai_api_key from acta.directus_settings"),
        *rows(served_url, "select credentials from acta.directus_deployments"),
        *rows(served_url, "select secret from notes where secret is not null order by id"),
    ]
    assert [seal.open(text) for text in stored] == [
        "sk-of-settings",
        "sk-of-deployment",
        "sk-of-b",
        "sk-of-a",
    ]
    assert all("sk-of" not in text for text in stored)
    assert rows(served_url, "select count(*) from acta.events e where e::text like '%sk-of%'") == [0]


async def test_deployments_go_by_the_name_of_their_provider(api: Client, anonymous: Client) -> None:
    await api.post(
        "/deployments", {"provider": "netlify", "projects": [{"external_id": "x", "name": "site"}]}
    )
    assert (await anonymous.get("/deployments")).status == 403
    assert (await anonymous.get("/deployments/netlify")).status == 403
    assert "netlify" in [row["provider"] for row in (await api.get("/deployments")).data]
    found = (await api.get("/deployments/netlify", fields="provider,projects.name")).data
    assert found == {"provider": "netlify", "projects": [{"name": "site"}]}
    again = await api.post("/deployments", {"provider": "netlify"})
    assert (again.status, again.error["code"]) == (400, "RECORD_NOT_UNIQUE")
    assert (await api.delete("/deployments/netlify")).status == 204
    for request in (api.get, api.delete):
        assert (await request("/deployments/netlify")).error["code"] == "FORBIDDEN"


async def test_settings_have_no_counts(api: Client) -> None:
    assert list((await api.get("/settings", meta="*")).body) == ["data"]


async def test_a_notification_is_also_a_letter(
    api: Client, mail: Mailbox, person: dict[str, Any], served_url: str
) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        # It begins with what comes after its first start.
        while rows(served_url, "select count(*) from acta.cursors where name = 'notifications'") == [0]:
            await asyncio.sleep(0.1)
    silent = (await api.post("/users", {"email": "s@example.com", "email_notifications": False})).data["id"]
    plain = (await api.post("/users", {"email": "plain@example.com"})).data["id"]
    text = "**Look**: <script>alert(1)</script> [here](https://example.com)"
    made = [{"recipient": user, "subject": "News", "message": text} for user in (silent, plain, person["id"])]
    assert (await api.post("/notifications", made)).status == 200
    letter = await mail.letter("p@example.com", PATIENCE_SECONDS)
    html = letter.get_content()
    assert letter["Subject"] == "News"
    assert "<strong>Look</strong>" in html
    assert "<script" not in html
    assert f"https://cms.example.com/admin/users/{person['id']}" in html
    plain_letter = await mail.letter("plain@example.com", PATIENCE_SECONDS)
    # Without access to the app there is no link into it; a comment that mentions somebody is a notification.
    assert "/admin/users/" not in plain_letter.get_content()
    await api.post("/comments", {"collection": "notes", "item": "1", "comment": f"@{person['id']} see"})
    mention = await mail.letter("p@example.com", PATIENCE_SECONDS)
    assert mention["Subject"] == "You were mentioned in notes"
    assert re.search(r"https://cms\.example\.com/admin/content/notes/1", mention.get_content())
    assert [each["To"] for each in mail.letters] == []


async def test_a_deleted_user_leaves_no_trace_and_no_change(
    api: Client, server: Server, person: dict[str, Any]
) -> None:
    async with client(server, "token-of-p") as own:
        made = (await own.post("/comments", {"collection": "notes", "item": "1", "comment": "c"})).data
        made = (await own.patch(f"/comments/{made['id']}", {"comment": "d"})).data
    assert made["user_updated"] == person["id"]
    assert (await api.delete(f"/users/{person['id']}")).status == 204
    found = (await api.get(f"/comments/{made['id']}")).data
    assert found == {**made, "user_created": None, "user_updated": None}


async def test_a_change_is_answered_as_a_version_has_it(api: Client) -> None:
    for name, singleton in (("texts", False), ("page", True)):
        field = {"field": "title", "type": "string", "meta": {}}
        meta = {"versioning": True, "singleton": singleton}
        body = {"collection": name, "schema": {}, "meta": meta, "fields": [field]}
        assert (await api.post("/collections", body)).status == 200
    await api.post("/items/texts", {"title": "main"})
    await api.patch("/items/page", {"title": "main"})
    for name in ("texts", "page"):
        version = (await api.post("/versions", {"key": "draft", "collection": name, "item": "1"})).data["id"]
        assert (await api.post(f"/versions/{version}/save", {"title": "drafted"})).status == 200
    for path in ("/items/texts/1", "/items/page"):
        for key, title in (("draft", "drafted"), ("main", "new")):
            answer = await api.request("PATCH", path, {"title": "new"}, query={"version": key})
            assert answer.data["title"] == title
        unknown = await api.request("PATCH", path, {"title": "newer"}, query={"version": "nosuch"})
        assert (unknown.status, (await api.get(path)).data["title"]) == (204, "newer")
