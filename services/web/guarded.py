"""A web client that can't be turned against the network it stands in.

Every address is held against a deny list: the host of each URL, of redirects too, and each address that a
name resolves to at the moment of connecting, so that a name can't change its mind in between.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import psutil
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from domain.net.addresses import Denied

MOST_REDIRECTS = 5
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Unreachable(Exception):
    """The address is denied, or nothing usable answers there."""


class GuardedClient:
    """Made with the entries of a deny list; a request has a session of its own."""

    def __init__(self, deny: Sequence[str]) -> None:
        self._denied = Denied.parse(deny)

    @asynccontextmanager
    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One exchange, redirects followed; ``options`` are those of `aiohttp.ClientSession.request`.

        Raises:
            Unreachable
        """
        resolver = _Guard(self._denied)
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, force_close=True)
        try:
            async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session:
                response = await self._follow(session, method, URL(url), headers or {}, options)
                async with response:
                    yield response
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error

    async def _follow(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        options: Mapping[str, Any],
    ) -> aiohttp.ClientResponse:
        for _ in range(MOST_REDIRECTS + 1):
            self._check(url)
            response = await session.request(method, url, headers=headers, allow_redirects=False, **options)
            target = response.headers.get("Location")
            if response.status not in _REDIRECTS or target is None:
                return response
            response.close()
            following = url.join(URL(target))
            if following.origin() != url.origin():
                # What was meant for one server is no other one's business.
                headers = {name: value for name, value in headers.items() if name.lower() not in _SECRET}
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
