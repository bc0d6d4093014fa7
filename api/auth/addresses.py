"""The address a request comes from: the socket's, or what trusted proxies say it is."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

from aiohttp import web

from domain.settings import AuthSettings
from domain.settings_access import PROXY_NAMES

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

FORWARDED = "X-Forwarded-For"


def address_of(request: web.Request, settings: AuthSettings) -> str | None:
    """The caller's address as text; a header that holds no address, or several, counts as absent."""
    if settings.ip_header and (named := _address(_line(request, settings.ip_header))):
        return named
    socket = _plain(request.remote)
    trust = settings.trust_proxy
    if trust is False or not (forwarded := _line(request, FORWARDED)):
        return socket
    hops = [part.strip() for part in forwarded.split(",")]
    chosen = hops[0] if trust is True else _behind([socket or "", *reversed(hops)], trust)
    return _address(chosen) or socket


def _line(request: web.Request, name: str) -> str:
    # Some proxies add a line of their own below what the client sent.
    return ",".join(request.headers.getall(name, ()))


def _behind(hops: Sequence[str], trust: int | tuple[str, ...]) -> str:
    # Nearest first: the first hop that is no trusted proxy is the client.
    if isinstance(trust, int):
        return hops[min(trust, len(hops) - 1)]
    networks = _networks(trust)
    for hop in hops:
        if not any(_inside(hop, network) for network in networks):
            return hop
    return hops[-1]


@lru_cache(maxsize=8)
def _networks(listed: tuple[str, ...]) -> tuple[Network, ...]:
    texts = [text for entry in listed for text in PROXY_NAMES.get(entry.lower(), (entry,))]
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def _inside(address: str, network: Network) -> bool:
    try:
        return ipaddress.ip_address(_plain(address) or "") in network
    except ValueError:
        return False


@lru_cache(maxsize=4096)
def _address(text: str) -> str | None:
    # In one spelling: each would have a budget of its own. The zone behind a % is any text.
    try:
        found = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return str(getattr(found, "ipv4_mapped", None) or found)


def _plain(address: str | None) -> str | None:
    return address.removeprefix("::ffff:") if address else None
