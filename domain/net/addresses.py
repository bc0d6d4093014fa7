"""Which addresses Acta may be sent to: the guard against requests into its own network.

Everything that fetches what a user names asks `Denied`, for the literal host and for each address a name
resolves to.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
OWN_MACHINE = "0.0.0.0"


@dataclass(frozen=True, slots=True)
class Denied:
    """A deny list; ``everything`` when one of its entries can't be read, ``own`` when it names us."""

    networks: tuple[Network, ...] = ()
    ranges: tuple[tuple[Address, Address], ...] = ()
    own: bool = False
    everything: bool = False

    @classmethod
    def parse(cls, entries: Sequence[str]) -> Denied:
        """Read addresses, networks (``10.0.0.0/8``) and ranges (``10.0.0.1-10.0.0.9``)."""
        networks: list[Network] = []
        ranges: list[tuple[Address, Address]] = []
        own = False
        for entry in entries:
            try:
                if entry == OWN_MACHINE:
                    own = True
                elif "-" in entry:
                    low, high = (ipaddress.ip_address(part.strip()) for part in entry.split("-", 1))
                    if low.version != high.version:
                        return cls(everything=True)
                    ranges.append((low, high))
                else:
                    networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                return cls(everything=True)
        return cls(tuple(networks), tuple(ranges), own)

    def refuses(self, address: str, interfaces: Sequence[str] = ()) -> bool:
        """Whether an address may not be reached; ``interfaces`` are the addresses of this machine."""
        if self.everything:
            return True
        try:
            found = _plain(ipaddress.ip_address(address.partition("%")[0]))
        except ValueError:
            return True
        if self.own and (found.is_loopback or found.is_unspecified or str(found) in interfaces):
            return True
        return any(found.version == network.version and found in network for network in self.networks) or any(
            low.version == found.version and int(low) <= int(found) <= int(high) for low, high in self.ranges
        )


def _plain(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, for the same machine is reached by both."""
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address.sixtofour or address
    return address
