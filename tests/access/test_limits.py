"""Rate limits, addresses behind proxies, headers for browsers, seats."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import psycopg
import pytest
from multidict import CIMultiDict
from psycopg import sql
from psycopg.conninfo import make_conninfo

from api.auth.addresses import FORWARDED
from domain.settings import AuthSettings, Settings, SettingsError
from tests.support.http import Client, client
from tests.support.server import ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, Server, running_server

OTHER = "https://app.example.com"


@pytest.fixture(scope="module")
def extra() -> dict[str, str]:
    return {
        "RATE_LIMITER_ENABLED": "true",
        "RATE_LIMITER_POINTS": "20",
        "RATE_LIMITER_DURATION": "60",
        "RATE_LIMITER_STORE": "postgres",
        "WEBSOCKETS_ENABLED": "true",
        "WEBSOCKETS_REST_AUTH": "public",
        "IP_TRUST_PROXY": "loopback,10.0.0.0/8",
        "CORS_ENABLED": "true",
        "CORS_ORIGIN": f"{OTHER},https://other.example.com",
        "CONTENT_SECURITY_POLICY_DIRECTIVES__FRAME_SRC": "array:'self',https://frames.example.com",
        "CONTENT_SECURITY_POLICY_DIRECTIVES__OBJECT_SRC": "false",
        "HSTS_ENABLED": "true",
        "USERS_ADMIN_ACCESS_LIMIT": "1",
        "USERS_API_ACCESS_LIMIT": "2",
    }


def behind(*hops: str) -> dict[str, str]:
    return {"X-Forwarded-For": ", ".join(hops)}


async def test_each_address_has_its_own_budget(anonymous: Client) -> None:
    async def ping(*hops: str) -> int:
        return (await anonymous.request("GET", "/server/ping", headers=behind(*hops))).status

    many = [await ping("203.0.113.7") for _ in range(25)]
    assert many == [200] * 20 + [429] * 5
    refused = await anonymous.request("GET", "/users/me", headers=behind("203.0.113.7"))
    assert (refused.status, refused.error["code"], refused.error["limit"]) == (429, "REQUESTS_EXCEEDED", 20)
    assert refused.error["reset"].endswith("Z")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert await ping("203.0.113.8") == 200
    # What a client writes before the address that a trusted proxy saw gives no new budget.
    assert await ping("198.51.100.1", "203.0.113.7") == 429
    assert await ping("198.51.100.1", "203.0.113.7", "10.1.2.3") == 429


async def test_nobody_signs_in_past_the_budget(anonymous: Client, server: Server) -> None:
    """Neither many in one document nor over a socket, whose messages are no requests."""
    wrong = 'auth_refresh(refresh_token: "wrong", mode: json) { access_token }'
    document = " ".join(f"a{number}: {wrong}" for number in range(25))
    sent = {"query": f"mutation {{ {document} }}"}
    answer = await anonymous.request("POST", "/graphql/system", sent, headers=behind("203.0.113.20"))
    codes = [error["extensions"]["code"] for error in answer.body["errors"]]
    assert codes == ["INVALID_CREDENTIALS"] * 19 + ["REQUESTS_EXCEEDED"] * 6
    async with (
        aiohttp.ClientSession(headers=behind("203.0.113.21")) as session,
        session.ws_connect(f"{server.url}/websocket") as socket,
    ):
        right = {"type": "auth", "access_token": ADMIN_TOKEN}
        told = []
        for _ in range(21):
            await socket.send_json(right)
            told.append((await socket.receive_json(timeout=20))["status"])
        assert told == ["ok"] * 19 + ["error"] * 2


async def test_addresses_that_clients_make_up(server: Server) -> None:
    async def ping(*lines: str, path: str = "/server/ping") -> int:
        headers = CIMultiDict([(FORWARDED, line) for line in lines])
        async with aiohttp.ClientSession(server.url) as session, session.get(path, headers=headers) as answer:
            return answer.status

    # A proxy may add a line of its own instead of a part.
    many = [await ping(f"198.51.100.{number}", "203.0.113.30") for number in range(22)]
    assert many == [200] * 20 + [429] * 2
    spellings = ("2001:db8::1", "2001:DB8::1", "2001:db8:0:0::1", "2001:0db8::0001", "2001:db8::1%zone")
    many = [await ping(spellings[number % 5]) for number in range(22)]
    assert many == [200] * 20 + [429] * 2
    assert await ping("::ffff:203.0.113.30") == await ping("::FFFF:cb00:711e") == 429
    for nonsense in ("x" * 4000, "1.2.3.4:80", "fe80::1%" + "z" * 4000, ",,,", "unknown", "127.0.0.1, "):
        assert await ping(nonsense, path="/users/me") == 401


async def test_other_origins(anonymous: Client) -> None:
    asked = {"Origin": OTHER, "Access-Control-Request-Method": "PATCH", **behind("192.0.2.1")}
    preflight = await anonymous.request("OPTIONS", "/items/notes", headers=asked)
    assert preflight.status == 204
    expected = {
        "Access-Control-Allow-Origin": OTHER,
        "Access-Control-Allow-Methods": "GET,POST,PATCH,DELETE",
        "Access-Control-Allow-Headers": "Content-Type,Authorization",
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Max-Age": "18000",
    }
    assert expected.items() <= preflight.headers.items()
    for path in ("/server/ping", "/users/me", "/nowhere"):
        answer = await anonymous.request("GET", path, headers={"Origin": OTHER, **behind("192.0.2.1")})
        assert answer.headers["Access-Control-Allow-Origin"] == OTHER
        assert answer.headers["Access-Control-Expose-Headers"] == "Content-Range"
        assert "Origin" in answer.headers["Vary"]
    for origin in ("https://evil.example", f"{OTHER}.evil.example", "null"):
        for method in ("GET", "OPTIONS"):
            sent = {**asked, "Origin": origin}
            answer = await anonymous.request(method, "/server/ping", headers=sent)
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_headers_for_browsers(anonymous: Client) -> None:
    for path in ("/server/ping", "/users/me", "/nowhere"):
        headers = (await anonymous.request("GET", path, headers=behind("192.0.2.2"))).headers
        policy = headers["Content-Security-Policy"].split(";")
        assert "frame-src 'self' https://frames.example.com" in policy
        assert "script-src 'self' 'unsafe-eval'" in policy
        assert not any(part.startswith("object-src") for part in policy)
        assert headers["Strict-Transport-Security"] == "max-age=15552000; includeSubDomains"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"
        assert headers["X-Content-Type-Options"] == "nosniff"


async def test_seats(api: Client) -> None:
    role = (await api.get("/users/me", fields="role")).data["role"]
    user = {"email": "second@example.com"}
    refused = await api.post("/users", {**user, "role": role})
    assert (refused.status, refused.error["code"]) == (403, "LIMIT_EXCEEDED")
    assert refused.error["category"] == "Active Admin users"
    made = await api.post("/users", user)
    assert made.status == 200
    assert (await api.patch(f"/users/{made.data['id']}", {"role": role})).status == 403
    assert (await api.post("/users", {"email": "third@example.com"})).status == 200
    fourth = {"email": "fourth@example.com"}
    assert (await api.post("/users", fourth)).status == 403
    draft = await api.post("/users", {**fourth, "status": "draft"})
    assert draft.status == 200
    assert (await api.patch(f"/users/{draft.data['id']}", {"status": "active"})).status == 403
    admin = {"name": "more", "admin_access": True, "users": [{"user": made.data["id"]}]}
    assert (await api.post("/policies", admin)).status == 403


@asynccontextmanager
async def trusting(url: str, trust: str, header: str = "") -> AsyncIterator[Client]:
    settings = {"IP_TRUST_PROXY": trust, "IP_CUSTOM_HEADER": header}
    with running_server(url, "--no-followers", extra=settings) as server:
        async with client(server) as api:
            yield api


@pytest.fixture
def empty_url(postgres_url: str) -> Iterator[str]:
    name = f"acta_proxies_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            yield make_conninfo(postgres_url, dbname=name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def test_whose_address_counts(empty_url: str) -> None:
    hops = behind("203.0.113.1", "203.0.113.2", "203.0.113.3")
    for trust, header, expected in (
        ("true", "", "203.0.113.1"),
        ("false", "", "127.0.0.1"),
        ("2", "", "203.0.113.2"),
        ("127.0.0.1,203.0.113.3", "X-Real-IP", "192.0.2.9"),
    ):
        async with trusting(empty_url, trust, header) as api:
            sent = {**hops, "X-Real-IP": "192.0.2.9"}
            assert (await api.request("POST", "/folders", {"name": trust}, headers=sent)).status == 200
            newest = (await api.get("/activity", sort="-id", limit="1", fields="ip")).data
            assert newest == [{"ip": expected}]


async def test_passwords_switched_off_are_off_everywhere(empty_url: str) -> None:
    extra = {"AUTH_DISABLE_DEFAULT": "true", "WEBSOCKETS_ENABLED": "true", "LOGIN_STALL_TIME": "10"}
    right = {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
    with running_server(empty_url, "--no-followers", extra=extra) as server:
        async with client(server, None) as anonymous, aiohttp.ClientSession(server.url) as session:
            assert (await anonymous.request("GET", "/auth")).body["disableDefault"] is True
            assert (await anonymous.post("/auth/login", right)).status == 404
            query = (
                "mutation ($e: String!, $p: String!) { auth_login(email: $e, password: $p) { access_token } }"
            )
            variables = {"e": ADMIN_EMAIL, "p": ADMIN_PASSWORD}
            answer = await anonymous.post("/graphql/system", {"query": query, "variables": variables})
            assert answer.body["data"] == {"auth_login": None}
            async with session.ws_connect("/websocket") as socket:
                await socket.send_json({"type": "auth", **right})
                assert (await socket.receive_json(timeout=20))["error"]["code"] == "AUTH_FAILED"


def test_settings_of_limits() -> None:
    for wrong in (
        {"IP_TRUST_PROXY": "somewhere"},
        {"RATE_LIMITER_STORE": "redis"},
        {"RATE_LIMITER_GLOBAL_ENABLED": "true"},
        {
            "RATE_LIMITER_ENABLED": "true",
            "RATE_LIMITER_GLOBAL_ENABLED": "true",
            "RATE_LIMITER_GLOBAL_POINTS": "50",
        },
        {"AUTH_PROVIDERS": "default"},
        {"AUTH_PROVIDERS": "x"},
        {"AUTH_PROVIDERS": "x", "AUTH_X_DRIVER": "magic"},
        {"AUTH_PROVIDERS": "x", "AUTH_X_DRIVER": "oauth2"},
    ):
        with pytest.raises(SettingsError):
            Settings.parse(wrong)
    assert AuthSettings(IP_TRUST_PROXY="3").trust_proxy == 3


async def test_the_server_tells_its_limits(server: Server, api: Client) -> None:
    info = (await api.request("GET", "/server/info", headers=behind("192.0.2.3"))).data
    assert (info["rateLimit"], info["rateLimitGlobal"]) == ({"points": 20, "duration": 60}, False)
    health = (await api.request("GET", "/server/health", headers=behind("192.0.2.3"))).body
    assert health["checks"]["email:connection"] == [{"status": "ok", "componentType": "email"}]
    [limiter] = health["checks"]["rateLimiter:responseTime"]
    assert (limiter["status"], limiter["componentType"]) == ("ok", "ratelimiter")
    assert "rateLimiterGlobal:responseTime" not in health["checks"]
