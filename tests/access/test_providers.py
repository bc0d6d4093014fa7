"""Signing in with OAuth 2, OpenID Connect, LDAP and SAML, against scripted providers; and attacks on it."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest
from joserfc.jwk import OctKey, RSAKey

from tests.support import ldap, oauth, saml
from tests.support.http import Client
from tests.support.oauth import get, through
from tests.support.people import person
from tests.support.server import Server

ROLE = "4c4f3b0a-5d0e-4a53-9f3d-0f4f0a7f6a01"
OTHER_ROLE = "4c4f3b0a-5d0e-4a53-9f3d-0f4f0a7f6a02"
USERS, GROUPS = "ou=users,dc=example,dc=com", "ou=groups,dc=example,dc=com"
ANN = f"cn=ann,{USERS}"


class Everybody:
    """The scripted providers of this module."""

    def __init__(self, stack: ExitStack) -> None:
        self.oauth = stack.enter_context(oauth.provider())
        self.directory = stack.enter_context(ldap.directory())
        self.saml = saml.IdentityProvider()


@pytest.fixture(scope="module")
def providers() -> Iterator[Everybody]:
    with ExitStack() as stack:
        yield Everybody(stack)


@pytest.fixture(scope="module")
def extra(providers: Everybody) -> dict[str, str]:
    url = providers.oauth.url
    client = {"CLIENT_ID": oauth.CLIENT, "CLIENT_SECRET": oauth.SECRET, "ALLOW_PUBLIC_REGISTRATION": "true"}
    groups = {"DEFAULT_ROLE_ID": ROLE}
    settings = {
        "PLAIN": {
            **client,
            **groups,
            "DRIVER": "oauth2",
            "AUTHORIZE_URL": f"{url}/authorize",
            "ACCESS_URL": f"{url}/token",
            "PROFILE_URL": f"{url}/me",
            "IDENTIFIER_KEY": "account.id",
            "REDIRECT_ALLOW_LIST": "https://app.example.com/in",
            "MODE": "cookie",
        },
        "CONNECT": {
            **client,
            "DRIVER": "openid",
            "ISSUER_URL": url,
            "REQUIRE_VERIFIED_EMAIL": "true",
            "SYNC_USER_INFO": "true",
            "ROLE_MAPPING": f'{{"bosses":"{OTHER_ROLE}","staff":"{ROLE}"}}',
            "LABEL": "Connect",
        },
        "TREE": {
            "DRIVER": "ldap",
            "CLIENT_URL": providers.directory.url,
            "BIND_DN": "cn=reader,dc=example,dc=com",
            "BIND_PASSWORD": "reading",
            "USER_DN": USERS,
            "GROUP_DN": GROUPS,
        },
        "GONE": {"DRIVER": "ldap", "CLIENT_URL": "ldap://127.0.0.1:1", "USER_DN": USERS},
        "MARK": {
            **groups,
            "DRIVER": "saml",
            "ALLOW_PUBLIC_REGISTRATION": "true",
            "IDP_metadata": providers.saml.metadata,
        },
        "SECOND": {"DRIVER": "local"},
    }
    texts = {f"AUTH_{name}_{key}": value for name, keys in settings.items() for key, value in keys.items()}
    return {"AUTH_PROVIDERS": "plain,connect,tree,gone,mark,second", **texts}


@pytest.fixture(autouse=True)
async def roles(api: Client) -> None:
    if (await api.get(f"/roles/{ROLE}")).status != 200:
        await api.post("/roles", [{"id": ROLE, "name": "Staff"}, {"id": OTHER_ROLE, "name": "Bosses"}])


async def users(api: Client, email: str) -> list[dict[str, Any]]:
    fields = "id,provider,external_identifier,role,first_name,status,auth_data"
    found: list[dict[str, Any]] = (await api.get("/users", filter={"email": email}, fields=fields)).data
    return found


async def test_providers_are_listed(anonymous: Client) -> None:
    answer = await anonymous.get("/auth")
    assert answer.body["disableDefault"] is False
    assert answer.data[1] == {"name": "connect", "label": "Connect", "driver": "openid"}
    names = [entry["name"] for entry in (await anonymous.get("/auth", sessionOnly="")).data]
    assert names == ["connect", "tree", "gone", "mark", "second"]


async def test_oauth(browser: aiohttp.ClientSession, providers: Everybody, api: Client) -> None:
    provider = providers.oauth
    provider.profile = {"email": "olga@example.com", "account": {"id": "Olga-1"}}
    provider.refreshable = True
    assert await through(browser, provider, "plain") == "/in"
    asked = provider.asked[-1]
    assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
    (user,) = await users(api, "olga@example.com")
    assert (user["provider"], user["external_identifier"], user["role"]) == ("plain", "Olga-1", ROLE)
    assert "rt-" not in str(user["auth_data"])
    async with browser.post("/auth/refresh", json={"mode": "cookie"}) as answer:
        assert answer.status == 200
    provider.refusal = "invalid_grant"
    async with browser.post("/auth/refresh", json={"mode": "cookie"}) as answer:
        assert answer.status == 403
    provider.refusal, provider.refreshable = None, False
    # The same person again is the same user, whatever the case.
    provider.profile["account"] = {"id": "OLGA-1"}
    assert await through(browser, provider, "plain") == "/in"
    assert len(await users(api, "olga@example.com")) == 1
    # Somebody else with her address is refused.
    provider.profile["account"] = {"id": "other"}
    assert await through(browser, provider, "plain") == "/in?reason=INVALID_PROVIDER"
    await api.patch(f"/users/{user['id']}", {"status": "suspended"})
    provider.profile["account"] = {"id": "Olga-1"}
    assert await through(browser, provider, "plain") == "/in?reason=INVALID_CREDENTIALS"


async def test_filters_see_users_of_providers(
    browser: aiohttp.ClientSession, providers: Everybody, api: Client
) -> None:
    """They may change what is written of them, but not whose they are, and refuse them."""
    provider = providers.oauth
    flows = []
    for event, title in (("create", "{{ $trigger.identifier }}"), ("update", "again")):
        change = {"title": title, "email": "f@example.com", "external_identifier": "somebody else"}
        if event == "update":
            change.pop("external_identifier")
        options = {"type": "filter", "scope": [f"auth.{event}"], "return": "$last"}
        values = {"name": event, "status": "active", "trigger": "event", "options": options}
        flow = (await api.post("/flows", values)).data["id"]
        step = {"name": "x", "key": "x", "type": "transform", "position_x": 1, "position_y": 1}
        made = await api.post("/operations", {**step, "flow": flow, "options": {"json": change}})
        await api.patch(f"/flows/{flow}", {"operation": made.data["id"]})
        flows.append(flow)
    provider.profile = {"email": "f@example.com", "account": {"id": "f-1"}}
    assert await through(browser, provider, "plain") == "/in"
    (user,) = await users(api, "f@example.com")
    assert (user["external_identifier"], user["provider"]) == ("f-1", "plain")
    assert (await api.get(f"/users/{user['id']}", fields="title")).data["title"] == "f-1"
    assert await through(browser, provider, "plain") == "/in"
    assert (await api.get(f"/users/{user['id']}", fields="title")).data["title"] == "again"
    for flow in flows:
        await api.delete(f"/flows/{flow}")


async def test_an_oauth_answer_belongs_to_one_browser(
    browser: aiohttp.ClientSession, providers: Everybody, server: Server
) -> None:
    provider = providers.oauth
    provider.profile = {"email": "stolen@example.com", "account": {"id": "stolen"}}
    _, there = await get(browser, "/auth/login/plain")
    back = provider.visit(there)
    path = back[back.index("/auth/") :]
    async with aiohttp.ClientSession(server.url) as other:
        assert (await get(other, path))[0] == 401
    changed = path.replace(urlencode({"state": provider.asked[-1]["state"]}), "state=x")
    assert (await get(browser, changed))[1] == "/?reason=INVALID_CREDENTIALS"
    assert (await get(browser, path))[0] == 401, "the cookie is good once"
    _, there = await get(browser, "/auth/login/plain?redirect=/in")
    provider.refusal = "invalid_grant"
    back = provider.visit(there)
    assert (await get(browser, back[back.index("/auth/") :]))[1] == "./?redirect=%2Fin&prompt=true"
    provider.refusal = None
    async with browser.post(
        "/auth/login/plain/callback", data={"code": "a b", "state": "c"}, allow_redirects=False
    ) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "./callback?code=a+b&state=c")


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/in",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "https://app.example.com.evil.example/in",
        "https://app.example.com@evil.example/in",
        "http:evil.example",
    ],
)
async def test_nobody_is_sent_elsewhere(anonymous: Client, wanted: str, providers: Everybody) -> None:
    for name in ("plain", "mark"):
        answer = await anonymous.request("GET", f"/auth/login/{name}", query={"redirect": wanted})
        assert (answer.status, answer.error["code"]) == (400, "INVALID_PAYLOAD")


async def test_openid(browser: aiohttp.ClientSession, providers: Everybody, api: Client) -> None:
    provider = providers.oauth
    provider.profile = {
        "sub": "sub-1",
        "email": "ida@example.com",
        "given_name": "Ida",
        "groups": ["staff", "bosses"],
    }
    assert await through(browser, provider, "connect") == "/in?reason=INVALID_CREDENTIALS", "not verified"
    provider.profile["email_verified"] = True
    assert await through(browser, provider, "connect") == "/in"
    assert "nonce" in provider.asked[-1]
    (user,) = await users(api, "ida@example.com")
    assert (user["first_name"], user["role"], user["external_identifier"]) == ("Ida", OTHER_ROLE, "sub-1")
    async with browser.get("/users/me") as answer:
        assert (await answer.json())["data"]["id"] == user["id"]
    # Who is known comes in with an unverified address, too; it changes nothing.
    provider.profile |= {"given_name": "Idaa", "groups": "staff", "email_verified": False}
    assert await through(browser, provider, "connect") == "/in"
    provider.profile["email"] = "admin2@example.com"
    assert await through(browser, provider, "connect") == "/in"
    (user,) = await users(api, "ida@example.com")
    assert (user["first_name"], user["role"]) == ("Idaa", ROLE)
    _, end = await get(browser, "/auth/login/connect/callback?code=x&state=y")
    assert end.endswith("/admin/login?reason=INVALID_CREDENTIALS")


@pytest.mark.parametrize(
    "wrong",
    [
        {"claims": {"nonce": "another"}},
        {"claims": {"aud": "another"}},
        {"claims": {"iss": "https://evil.example"}},
        {"claims": {"exp": 1}},
        {"claims": {"sub": "somebody"}},
        {"key": RSAKey.generate_key(2048, {"kid": "one"})},
        {"key": OctKey.import_key(oauth.SECRET), "algorithm": "HS256"},
    ],
    ids=["nonce", "aud", "iss", "exp", "sub", "key", "algorithm"],
)
async def test_forged_id_tokens(
    browser: aiohttp.ClientSession, providers: Everybody, wrong: dict[str, Any]
) -> None:
    provider = providers.oauth
    provider.profile = {"sub": "sub-1", "email": "ida@example.com", "email_verified": True}
    before = {name: getattr(provider, name) for name in wrong}
    for name, value in wrong.items():
        setattr(provider, name, value)
    try:
        end = await through(browser, provider, "connect")
    finally:
        for name, value in before.items():
            setattr(provider, name, value)
    assert end == "/in?reason=INVALID_CREDENTIALS"


async def test_ldap(anonymous: Client, providers: Everybody, api: Client) -> None:
    directory = providers.directory
    directory.entries = {
        ANN: {"cn": ["ann"], "mail": ["ann@example.com"], "givenName": ["Ann"], "sn": ["A"]},
        f"cn=staff,{GROUPS}": {"cn": ["staff"], "member": [ANN]},
    }
    directory.passwords = {"cn=reader,dc=example,dc=com": "reading", ANN: "ann's"}
    path, right = "/auth/login/tree", {"identifier": "ann", "password": "ann's"}
    answer = await anonymous.post(path, {**right, "mode": "session"})
    assert answer.data.keys() == {"expires", "access_token"}
    (user,) = await users(api, "ann@example.com")
    assert (user["role"], user["external_identifier"], user["first_name"]) == (ROLE, ANN, "Ann")
    for wrong in ("wrong", "reading"):
        refused = await anonymous.post(path, {**right, "password": wrong})
        assert (refused.status, refused.error["code"]) == (401, "INVALID_CREDENTIALS")
    for body in ({"identifier": "ann"}, {**right, "password": ""}, {**right, "mode": "x"}, {"password": "x"}):
        assert (await anonymous.post(path, body)).status == 400, body
    for identifier in ("*", "ann)(cn=*", "nobody", "a\0nn"):
        answer = await anonymous.post(path, {**right, "identifier": identifier})
        assert answer.status in (400, 401), identifier
    tokens = (await anonymous.post(path, right)).data
    directory.entries[ANN] = {**directory.entries[ANN], "userAccountControl": ["514"]}
    assert (await anonymous.post(path, right)).status == 401
    refreshed = await anonymous.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    assert refreshed.status == 401
    gone = await anonymous.post("/auth/login/gone", right)
    assert (gone.status, gone.error["service"]) == (503, "ldap")


async def test_saml(
    browser: aiohttp.ClientSession, providers: Everybody, api: Client, server: Server
) -> None:
    base = f"{server.url}/auth/login/mark"
    _, there = await get(browser, "/auth/login/mark?redirect=/in")
    query = parse_qs(urlsplit(there).query)
    assert there.startswith("https://idp.example.com/sso?")
    assert query["RelayState"] == ["/in"]
    async with browser.get("/auth/login/mark/metadata") as answer:
        assert answer.content_type == "text/xml"
        assert f"{base}/acs" in await answer.text()

    async def sent(relay: str | None = "/in", **wrong: Any) -> tuple[int, str]:
        given = {"acs": f"{base}/acs", "audience": f"{base}/metadata", "name": "Sam", **wrong}
        by = given.pop("by", providers.saml)
        message = given.pop("message", None) or by.answer(**given, email="sam@example.com")
        form = {"SAMLResponse": message, **({"RelayState": relay} if relay else {})}
        async with browser.post("/auth/login/mark/acs", data=form, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", "")

    message = providers.saml.answer(f"{base}/acs", f"{base}/metadata", "Sam", "sam@example.com")
    assert await sent(message=message) == (302, "/in")
    (user,) = await users(api, "sam@example.com")
    assert (user["external_identifier"], user["role"], user["first_name"]) == ("sam", ROLE, "Sam")
    async with browser.get("/users/me") as answer:
        assert (await answer.json())["data"]["id"] == user["id"]
    assert (await sent(message=message))[0] == 401, "an assertion is good once"
    assert (await sent(None))[0] == 200
    assert (await sent("https://evil.example"))[0] == 400
    for wrong in (
        {"by": saml.IdentityProvider()},
        {"signed": False},
        {"age": 3600},
        {"audience": "https://other.example"},
        {"acs": "https://other.example/acs"},
        {"message": "no base64"},
        {"message": "PGE+"},
    ):
        assert (await sent(**wrong))[0] == 401, wrong
    async with browser.post("/auth/login/mark/logout", allow_redirects=False) as answer:
        assert answer.status == 204
    async with browser.get("/users/me") as answer:
        assert answer.status == 401


async def test_a_second_local_provider(api: Client, anonymous: Client) -> None:
    him = await person(api)
    body = {"email": him.email, "password": "first-Secret1"}
    assert (await anonymous.post("/auth/login/second", body)).status == 401
    await api.patch(f"/users/{him.id}", {"provider": "second"})
    assert (await anonymous.post("/auth/login/second", body)).status == 200
    assert (await anonymous.post("/auth/login", body)).status == 401
    assert (await anonymous.get("/auth/login/second")).status == 404
    assert (await anonymous.post("/auth/login/nowhere", body)).status == 404
