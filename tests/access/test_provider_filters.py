"""Filters of ``auth.create`` and ``auth.update``: users of providers are changed or refused by hooks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.extensions.conftest import package
from tests.support import oauth
from tests.support.http import Client
from tests.support.oauth import through

REFUSED = {
    "raise": "INTERNAL_SERVER_ERROR",
    "refuse": "NO_STRANGERS",
    "hang": "SERVICE_UNAVAILABLE",
    "number": "INTERNAL_SERVER_ERROR",
    "array": "INTERNAL_SERVER_ERROR",
    "badrole": "INVALID_PAYLOAD",
    "taken": "INVALID_PROVIDER",
}


@pytest.fixture(scope="module")
def provider() -> Iterator[oauth.Provider]:
    with oauth.provider() as found:
        yield found


@pytest.fixture(scope="module")
def extra(provider: oauth.Provider, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("packages")
    code = (Path(__file__).parent / "strangers.py.txt").read_text()
    package(folder, "strangers", code, "[acta.hooks]\nstrangers = strangers:hooks\n")
    settings = {
        "DRIVER": "oauth2",
        "CLIENT_ID": oauth.CLIENT,
        "CLIENT_SECRET": oauth.SECRET,
        "ALLOW_PUBLIC_REGISTRATION": "true",
        "AUTHORIZE_URL": f"{provider.url}/authorize",
        "ACCESS_URL": f"{provider.url}/token",
        "PROFILE_URL": f"{provider.url}/me",
        "IDENTIFIER_KEY": "account",
        "FIRST_NAME_KEY": "given_name",
        "SYNC_USER_INFO": "true",
    }
    own = {f"AUTH_PLAIN_{name}": value for name, value in settings.items()}
    return {
        "AUTH_PROVIDERS": "plain", "PYTHONPATH": str(folder), "EXTENSIONS_HOOK_TIMEOUT": "2000", **own,
    }  # fmt: skip


async def user(api: Client, identifier: str) -> dict[str, Any] | None:
    fields = "id,provider,external_identifier,first_name,email,title,description"
    found = (await api.get("/users", filter={"external_identifier": identifier}, fields=fields)).data
    assert len(found) < 2
    return found[0] if found else None


async def test_hooks_see_and_change_users(
    browser: aiohttp.ClientSession, provider: oauth.Provider, api: Client
) -> None:
    provider.profile = {"account": "told-1", "email": "told@example.com", "given_name": "told"}
    assert await through(browser, provider, "plain") == "/in"
    made = await user(api, "told-1")
    assert made is not None
    assert (made["description"], made["email"]) == ("auth.create told-1 plain", "told@example.com")
    assert await through(browser, provider, "plain") == "/in"
    assert (await user(api, "told-1")) == {**made, "description": "auth.update told-1 plain"}


async def test_whose_user_it_is_stays(
    browser: aiohttp.ClientSession, provider: oauth.Provider, api: Client
) -> None:
    provider.profile = {"account": "thief-1", "email": "thief@example.com", "given_name": "first"}
    assert await through(browser, provider, "plain") == "/in"
    before = await user(api, "thief-1")
    assert before is not None
    provider.profile["given_name"] = "thief"
    assert await through(browser, provider, "plain") == "/in"
    assert await user(api, "thief-1") == {**before, "title": "seen"}
    assert await user(api, "other") is None


@pytest.mark.parametrize("name", REFUSED)
async def test_whoever_is_refused_is_not_made(
    browser: aiohttp.ClientSession, provider: oauth.Provider, api: Client, name: str
) -> None:
    provider.profile = {"account": f"new-{name}", "email": f"{name}@example.com", "given_name": name}
    assert await through(browser, provider, "plain") == f"/in?reason={REFUSED[name]}"
    assert await user(api, f"new-{name}") is None
    async with browser.get("/users/me") as answer:
        assert answer.status == 401


@pytest.mark.parametrize("name", REFUSED)
async def test_whoever_is_refused_later_stays_as_he_was(
    browser: aiohttp.ClientSession, provider: oauth.Provider, api: Client, name: str
) -> None:
    provider.profile = {"account": f"old-{name}", "email": f"old-{name}@example.com", "given_name": "first"}
    assert await through(browser, provider, "plain") == "/in"
    browser.cookie_jar.clear()
    before = await user(api, f"old-{name}")
    provider.profile["given_name"] = name
    end = await through(browser, provider, "plain")
    assert end.startswith("/in?reason="), end
    assert await user(api, f"old-{name}") == before
    async with browser.get("/users/me") as answer:
        assert answer.status == 401


async def test_what_no_user_has_is_left_out(
    browser: aiohttp.ClientSession, provider: oauth.Provider, api: Client
) -> None:
    provider.profile = {"account": "unknown-1", "email": "unknown@example.com", "given_name": "unknown"}
    assert await through(browser, provider, "plain") == "/in"
    found = await user(api, "unknown-1")
    assert found is not None
    assert found["first_name"] == "unknown"
