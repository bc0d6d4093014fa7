"""Policies, access rows and permissions: whatever changes, rights are read again."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from domain.errors import InvalidPayload
from projections.system.guards.base import Action, Change, Occasion, Payload, RightsGuard, tell_of_rights

WRONG_ADDRESS = (
    "IP Access contains an incorrect value. Valid values are: IP addresses, IP ranges and CIDR blocks"
)


class AccessGuard(RightsGuard):
    """The rules of `/access`."""


class PermissionGuard(RightsGuard):
    """The rules of `/permissions`; these can't take away the last administrator."""

    async def after(self, occasion: Occasion, action: Action, changes: Sequence[Change]) -> None:
        """Tell of the change."""
        await tell_of_rights(occasion)


class PolicyGuard(RightsGuard):
    """The rules of `/policies`."""

    def payload(self, occasion: Occasion, action: Action, change: Change) -> Payload:
        """Refuse addresses that no caller could have."""
        listed = change.payload.get("ip_access")
        if listed is not None and not (
            isinstance(listed, list) and all(_is_address(entry) for entry in listed)
        ):
            raise InvalidPayload(WRONG_ADDRESS)
        return change.payload


def _is_address(entry: object) -> bool:
    if not isinstance(entry, str):
        return False
    _, slash, bits = entry.strip().partition("/")
    try:
        if "-" in entry:
            for part in entry.split("-", 1):
                ipaddress.ip_address(part.strip())
        else:
            ipaddress.ip_network(entry.strip(), strict=False)
    except ValueError:
        return False
    # A mask in dotted form is understood by the library and not part of the contract.
    return not slash or bits.isdigit()
