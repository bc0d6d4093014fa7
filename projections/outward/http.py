"""HTTP requests to addresses that somebody else chose: flows, webhooks, imports.

A name is resolved once, each of its addresses is held against the deny list, and the connection goes to what
was looked at; a redirect is a new request under the same rules.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import aiohttp
import orjson
import psutil
from aiohttp.abc import AbstractResolver, ResolveResult

from domain.flows.outside import Answer, Unreachable
from domain.net.addresses import Denied

SECONDS: Final = 60.0
LARGEST: Final = 16 * 1024 * 1024
REDIRECTS: Final = 10
_MOVED: Final = (301, 302, 303, 307, 308)


class Refused(OSError):
    """An address on the deny list."""


class GuardedResolver(AbstractResolver):
    """Resolves names to the addresses that may be reached."""

    def __init__(self, denied: Denied) -> None:
        self._denied = denied

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises Refused when one of them is denied."""
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, family=family, type=socket.SOCK_STREAM
        )
        results: list[ResolveResult] = []
        for kind, _, protocol, _, address in found:
            self.check(str(address[0]))
            results.append(
                ResolveResult(
                    hostname=host,
                    host=str(address[0]),
                    port=port,
                    family=kind,
                    proto=protocol,
                    flags=socket.AI_NUMERICHOST,
                )
            )
        return results

    def check(self, address: str) -> None:
        """Raises Refused for a denied address."""
        if self._denied.refuses(address, _interfaces() if self._denied.own else ()):
            raise Refused(f"requests to {address} are not allowed")

    async def close(self) -> None:
        """Nothing is held."""


class HttpClient:
    """A guarded client; one per process, closed with it."""

    def __init__(self, deny: Sequence[str]) -> None:
        self._resolver = GuardedResolver(Denied.parse(deny))
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Give the connections up."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes | None
    ) -> Answer:
        """Ask, following redirects. Raises Unreachable."""
        try:
            async with asyncio.timeout(SECONDS):
                return await self._request(method, url, headers, body)
        except TimeoutError:
            raise Unreachable(f"no answer within {SECONDS:g} seconds") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unreachable(_reason(error)) from error

    async def _request(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes | None
    ) -> Answer:
        for _ in range(REDIRECTS):
            target = urlsplit(url)
            if target.scheme not in ("http", "https") or not target.hostname:
                raise ValueError("not an HTTP address")
            self._check_literal(target.hostname)
            async with self._client().request(
                method, url, headers=list(headers), data=body, allow_redirects=False
            ) as response:
                location = response.headers.get("Location")
                if response.status in _MOVED and location:
                    url = urljoin(url, location)
                    if response.status in (301, 302, 303) and method not in ("GET", "HEAD"):
                        method, body = "GET", None
                    continue
                return await _answer(response)
        raise ValueError("too many redirects")

    def _check_literal(self, host: str) -> None:
        # aiohttp asks no resolver for literal addresses.
        try:
            socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host.partition("%")[0])
        except OSError:
            return
        self._resolver.check(host)

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(resolver=self._resolver, use_dns_cache=False)
            self._session = aiohttp.ClientSession(connector=connector, auto_decompress=True)
        return self._session


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    raw = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        raw += chunk
        if len(raw) > LARGEST:
            raise ValueError("the answer is too large")
    data: Any = raw.decode("utf-8", "replace")
    if "json" in response.headers.get("Content-Type", ""):
        with contextlib.suppress(orjson.JSONDecodeError):
            data = orjson.loads(raw)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, response.reason or "", headers, data)


def _interfaces() -> list[str]:
    return [address.address for found in psutil.net_if_addrs().values() for address in found]


def _reason(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, Refused) else error
    return (str(cause).splitlines() or [type(error).__name__])[0]
