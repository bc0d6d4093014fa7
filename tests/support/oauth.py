"""A scripted OAuth 2 and OpenID Connect provider on the loopback address."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
from aiohttp import BasicAuth, web
from aiohttp.typedefs import Handler
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "acta", "the provider's secret of acta, long enough"


@dataclass
class Provider:
    """What the provider says next; ``claims`` change the ID token, ``key`` signs it otherwise.

    ``instead`` are statuses and bodies of paths that are out of order.
    """

    url: str = ""
    profile: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    key: Any = None
    algorithm: str = "RS256"
    refusal: str | None = None
    refreshable: bool = False
    own: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    instead: dict[str, tuple[int, str]] = field(default_factory=dict)

    def visit(self, location: str) -> str:
        """What a browser does that is sent here: the address it is sent back to, with a code."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        self.asked.append(query)
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    @web.middleware
    async def out_of_order(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer what the test wants, where it does."""
        if request.path not in self.instead:
            return await handler(request)
        status, text = self.instead[request.path]
        return web.Response(status=status, text=text, content_type="application/json")

    async def token(self, request: web.Request) -> web.Response:
        """The token endpoint; insists on client secret and PKCE."""
        form = await request.post()
        sent = BasicAuth.decode(request.headers["Authorization"])
        if (sent.login, sent.password) != (CLIENT, SECRET):
            return web.json_response({"error": "invalid_client"}, status=401)
        if self.refusal:
            return web.json_response({"error": self.refusal}, status=400)
        query: dict[str, str] = {}
        if form["grant_type"] == "authorization_code":
            query = self.codes.pop(str(form["code"]), {})
            digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
            if urlsafe_b64encode(digest).decode().rstrip("=") != query.get("code_challenge"):
                return web.json_response({"error": "invalid_grant"}, status=400)
        answer: dict[str, Any] = {"access_token": "at", "token_type": "Bearer", "expires_in": 60}
        if self.refreshable:
            answer["refresh_token"] = f"rt-{time.monotonic_ns()}"
        if "openid" in query.get("scope", ""):
            answer["id_token"] = self.id_token(query.get("nonce"))
        return web.json_response(answer)

    def id_token(self, nonce: str | None) -> str:
        """Who the user is, signed."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": self.profile["sub"],
            "nonce": nonce,
            "iat": now,
            "exp": now + 60,
            **self.claims,
        }
        header = {"alg": self.algorithm, "kid": "one"}
        return jwt.encode(header, claims, self.key or self.own, algorithms=[self.algorithm])

    async def me(self, request: web.Request) -> web.Response:
        """The profile, for the bearer of our access token."""
        if request.headers.get("Authorization") != "Bearer at":
            return web.Response(status=401)
        return web.json_response(self.profile)

    async def description(self, request: web.Request) -> web.Response:
        """The discovery document."""
        return web.json_response(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "userinfo_endpoint": f"{self.url}/me",
                "jwks_uri": f"{self.url}/keys",
            }
        )

    async def keys(self, request: web.Request) -> web.Response:
        """The public keys."""
        return web.json_response(KeySet([self.own]).as_dict(private=False))


@contextmanager
def provider() -> Iterator[Provider]:
    """A provider for the length of the block, in a thread of its own."""
    found = Provider()
    loop = asyncio.new_event_loop()
    app = web.Application(middlewares=[found.out_of_order])
    app.router.add_post("/token", found.token)
    app.router.add_get("/me", found.me)
    app.router.add_get("/.well-known/openid-configuration", found.description)
    app.router.add_get("/keys", found.keys)
    runner = web.AppRunner(app)

    async def begin() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"

    loop.run_until_complete(begin())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def get(browser: aiohttp.ClientSession, path: str) -> tuple[int, str]:
    """Status and where a browser is sent."""
    async with browser.get(path, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", "")


async def through(browser: aiohttp.ClientSession, provider: Provider, name: str, path: str = "/in") -> str:
    """The whole way to a provider and back; where it ends."""
    status, there = await get(browser, f"/auth/login/{name}?redirect={path}")
    assert status == 302, there
    back = provider.visit(there)
    status, end = await get(browser, back[back.index("/auth/") :])
    assert status == 302, status
    return end
