"""A web client that can't be turned against the network it stands in.

Every address is held against a deny list: the host of each URL, of redirects too, and each address that a
name resolves to at the moment of connecting, so that a name can't change its mind in between.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import psutil
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from multidict import CIMultiDict
from yarl import URL

from domain.net.addresses import Denied

MOST_REDIRECTS = 5
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
# Those that keep method and body.
SAME_REQUEST = frozenset({307, 308})
_REDIRECTS = SAME_REQUEST | {301, 302, 303}


class Unreachable(Exception):
    """The address is denied, or nothing usable answers there."""


class GuardedClient:
    """Made with the entries of a deny list; a request has a session of its own."""

    def __init__(self, deny: Sequence[str]) -> None:
        self._denied = Denied.parse(deny)

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        private: Collection[str] = (),
        redirects: Collection[int] = _REDIRECTS,
        **options: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One exchange, redirects of the given kinds followed.

        Headers named in ``private`` (lower case) are for the first server only, as credentials are in any
        case; ``options`` are those of `aiohttp.ClientSession.request`.

        Raises:
            Unreachable
        """
        resolver = _Guard(self._denied)
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, force_close=True)
        try:
            async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session:
                kept = _Kept(headers or {}, _SECRET.union(private), redirects)
                response = await self._follow(session, method, URL(url), kept, options)
                async with response:
                    yield response
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error

    async def _follow(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: URL,
        kept: _Kept,
        options: Mapping[str, Any],
    ) -> aiohttp.ClientResponse:
        headers = kept.headers
        for _ in range(MOST_REDIRECTS + 1):
            self._check(url)
            response = await session.request(method, url, headers=headers, allow_redirects=False, **options)
            target = response.headers.get("Location")
            if response.status not in kept.redirects or target is None:
                return response
            response.close()
            following = url.join(URL(target))
            self._check(following)
            if following.origin() != url.origin():
                # What was meant for one server is no other one's business.
                headers = CIMultiDict(
                    (name, value) for name, value in headers.items() if name.lower() not in kept.private
                )
            if response.status == 303 or (response.status in (301, 302) and method == "POST"):
                method, options = "GET", {}
            url = following
        raise Unreachable("too many redirects")

    def _check(self, url: URL) -> None:
        """Refuse a URL by itself; names are looked at when they are resolved."""
        if url.scheme not in ("http", "https") or not url.host:
            raise Unreachable("only http and https are fetched")
        try:
            socket.inet_pton(socket.AF_INET6 if ":" in url.host else socket.AF_INET, url.host)
        except OSError:
            return
        if self._denied.refuses(url.host, interfaces()):
            raise Unreachable("the address is denied")


_SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is sent with each request of an exchange, what only with those to its first server, and which
    redirects are followed."""

    headers: Mapping[str, str]
    private: frozenset[str]
    redirects: Collection[int]


class _Guard(AbstractResolver):
    """Resolves names to addresses that are not denied."""

    def __init__(self, denied: Denied) -> None:
        self._denied = denied
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """All addresses of a name; a single denied one denies the name."""
        found = await self._resolver.resolve(host, port, family)
        own = interfaces()
        if not found or any(self._denied.refuses(entry["host"], own) for entry in found):
            raise OSError(None, "the address is denied")
        return found

    async def close(self) -> None:
        """Nothing is held."""


def interfaces() -> list[str]:
    """The addresses of this machine."""
    return [
        address.address.partition("%")[0]
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family in (socket.AF_INET, socket.AF_INET6)
    ]
