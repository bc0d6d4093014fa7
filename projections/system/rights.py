"""What callers may do, loaded from the system tables and kept until something about rights changes.

Two steps are kept apart, because the first depends on user and role only and the second on the caller's
address too: which policies apply, and which rights these give. `RightsStore.forget` drops both; the
statements that ask are few and small, so nothing cleverer is needed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID

import psycopg

from domain.access.caller import Caller
from domain.access.minimal import MINIMAL
from domain.access.permissions import Row, rights_of
from domain.access.rights import ADMINISTRATOR, Rights
from domain.access.variables import Values, paths_of
from domain.errors import ServiceUnavailable
from domain.log.record import Record
from domain.model.schema import Model
from projections.bound import bound
from projections.database import Connection, Database
from projections.sql import load

STATEMENTS = load("system/rights")
DECIDING = frozenset(
    f"directus_{name}" for name in ("access", "permissions", "policies", "roles", "shares", "users")
)
"""The collections that decide on rights."""
MAXIMUM_ENTRIES = 10_000
RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)

LOOKUPS: Mapping[str, str] = {
    "CURRENT_USER": "directus_users",
    "CURRENT_ROLE": "directus_roles",
    "CURRENT_ROLES": "directus_roles",
    "CURRENT_POLICIES": "directus_policies",
}


_touched: ContextVar[bool] = ContextVar("rights_touched", default=False)


async def touch_rights(connection: Connection) -> None:
    """Inside a transaction that changes rights: every process reads them again when it commits."""
    _touched.set(True)
    await connection.execute(load("system/guards")["notify"])


class RowReader(Protocol):
    """The part of the reader that looks up what dynamic variables point to."""

    async def rows(
        self, model: Model, rights: Rights, caller: Caller, collection: str, raw: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Rows of a query."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that applies to a caller. ``open`` marks the public one, whose flags never count."""

    id: UUID
    admin: bool
    app: bool
    tfa: bool
    ip: tuple[str, ...]
    open: bool

    def reaches(self, address: str | None) -> bool:
        """Whether the policy holds for calls from this address."""
        return not self.ip or (address is not None and _listed(address, self.ip))


@dataclass(frozen=True, slots=True)
class Standing:
    """A caller's place: roles from the oldest ancestor down, applying policies, and what follows.

    One that is not ``lasting`` holds for one request: rules look up rows that anybody may change.
    """

    roles: tuple[UUID, ...]
    policies: tuple[UUID, ...]
    admin: bool
    app: bool
    enforce_tfa: bool
    rights: Rights
    lasting: bool = True

    def of(self, caller: Caller) -> Caller:
        """The caller whose standing this is, with what it says of him."""
        return replace(caller, roles=self.roles, policies=self.policies, admin=self.admin, app=self.app)


class RightsStore:
    """Standings by user and role. One per process; or one that is ``passing``, as the transaction whose view
    it keeps."""

    def __init__(self, database: Database, reader: RowReader, *, passing: bool = False) -> None:
        self._passing = passing
        self._database = database
        self._reader = reader
        self._policies: dict[
            tuple[UUID | None, UUID | None], tuple[tuple[UUID, ...], tuple[Policy, ...]]
        ] = {}
        self._standings: dict[tuple[UUID | None, UUID | None, tuple[UUID, ...]], Standing] = {}
        self._rows: dict[tuple[tuple[UUID, ...], bool], list[Row]] = {}
        self._shared: dict[tuple[tuple[UUID, ...], bool], Rights] = {}
        self.version = 0

    def forget(self) -> None:
        """Drop everything known: users, roles, policies, access or permissions have changed."""
        self.version += 1
        self._policies = {}
        self._standings = {}
        self._rows = {}
        self._shared = {}

    def heed(self, records: Iterable[Record]) -> None:
        """Forget if any of these events may have changed rights."""
        for record in records:
            # What is done silently (the time of a last visit, say) decides nothing.
            if record.collection in DECIDING and not (record.meta or {}).get("silent"):
                self.forget()
                return

    def settle(self) -> None:
        """After a command: forget at once if it changed rights, without waiting for its notification."""
        if _touched.get():
            _touched.set(False)
            self.forget()

    async def watch(self) -> None:
        """Forget whenever any process tells of a change; reconnect for ever. Ends when cancelled."""
        while True:
            try:
                connection = await self._database.dedicated()
                try:
                    await connection.execute(load("system/guards")["listen"])
                    # While nobody listened, a change may have gone unheard.
                    self.forget()
                    async for _ in connection.notifies():
                        self.forget()
                finally:
                    await connection.close()
            except (ServiceUnavailable, psycopg.Error, OSError) as error:
                log.warning("changes of rights are not heard: %s", error)
            self.forget()
            await asyncio.sleep(RETRY_SECONDS)

    async def standing(self, model: Model, caller: Caller) -> Standing:
        """The standing of ``caller``, of whom only user, role and address are known yet."""
        who = (caller.user, caller.role)
        version = self.version
        known = self._policies.get(who)
        if known is None:
            known = await self._load_policies(caller)
            self._keep(version, self._policies, who, known)
        roles, applying = known
        reached = _distinct(policy for policy in applying if policy.reaches(caller.ip))
        place = (*who, tuple(policy.id for policy in reached))
        standing = self._standings.get(place)
        if standing is None:
            standing = await self._load_standing(model, caller, roles, reached)
            if standing.lasting:
                self._keep(version, self._standings, place, standing)
        return standing

    async def applying(self, caller: Caller) -> tuple[Policy, ...]:
        """The policies of a caller, those his address keeps from applying among them."""
        return _distinct((await self._load_policies(caller))[1])

    async def roles_of(self, users: Iterable[UUID]) -> dict[UUID, UUID | None]:
        """The roles of users; those who are not there are left out."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(STATEMENTS["users_by_id"], {"users": list(users)})
            return {row[0]: row[1] for row in await cursor.fetchall()}

    def _keep(self, version: int, cache: dict[Any, Any], key: Any, value: Any) -> None:
        # What was read before `forget` may be stale by now, and what a transaction sees may never be
        # committed: it serves this request only.
        if version != self.version or (bound() is not None and not self._passing):
            return
        if len(cache) >= MAXIMUM_ENTRIES:
            cache.clear()
        cache[key] = value

    async def _load_policies(self, caller: Caller) -> tuple[tuple[UUID, ...], tuple[Policy, ...]]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                STATEMENTS["standing"], {"user": caller.user, "role": caller.role}
            )
            row = await cursor.fetchone()
        assert row is not None
        roles, found = row
        policies = tuple(
            Policy(
                UUID(entry["id"]),
                entry["admin"],
                entry["app"],
                entry["tfa"],
                _addresses(entry["ip"]),
                entry["open"],
            )
            for entry in found
        )
        return tuple(roles), policies

    async def _load_standing(
        self, model: Model, caller: Caller, roles: tuple[UUID, ...], policies: tuple[Policy, ...]
    ) -> Standing:
        ids = tuple(policy.id for policy in policies)
        admin = any(policy.admin and not policy.open for policy in policies)
        app = admin or any(policy.app and not policy.open for policy in policies)
        tfa = any(policy.tfa for policy in policies)
        if admin:
            return Standing(roles, ids, True, True, tfa, ADMINISTRATOR)
        knowing = replace(caller, roles=roles, policies=ids, app=app)
        rights, lasting = await self._rights(model, knowing, ids)
        return Standing(roles, ids, False, app, tfa, rights, lasting)

    async def _rights(self, model: Model, caller: Caller, ids: tuple[UUID, ...]) -> tuple[Rights, bool]:
        """The rights of policies, one value for all callers unless rules look something up."""
        version = self.version
        shared = self._shared.get((ids, caller.app))
        if shared is not None:
            return shared, True
        rows = await self.permission_rows(ids, app=caller.app)
        paths = paths_of(*([row["permissions"], row["validation"], row["presets"]] for row in rows))
        if not paths:
            rights = rights_of(rows, {})
            self._keep(version, self._shared, (ids, caller.app), rights)
            return rights, True
        values: dict[tuple[str, str], Any] = {}
        for variable, wanted in paths.items():
            values.update(await self._look_up(model, caller, variable, sorted(wanted)))
        lasting = all(_own(model, variable, path) for variable, wanted in paths.items() for path in wanted)
        return rights_of(rows, values), lasting

    async def permission_rows(self, policies: tuple[UUID, ...], *, app: bool) -> list[Row]:
        """The permission rows of policies in their order, the built-in ones for app access last."""
        version = self.version
        known = self._rows.get((policies, app))
        if known is not None:
            return known
        names = ("collection", "action", "permissions", "validation", "presets", "fields", "id", "policy")
        async with self._database.connection() as connection:
            cursor = await connection.execute(STATEMENTS["permissions"], {"policies": list(policies)})
            rows: list[Row] = [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]
        rows += MINIMAL if app else ()
        self._keep(version, self._rows, (policies, app), rows)
        return rows

    async def _look_up(self, model: Model, caller: Caller, variable: str, paths: list[str]) -> Values:
        keys = _keys_of(caller, variable)
        many = variable in ("CURRENT_ROLES", "CURRENT_POLICIES")
        if not keys:
            return {(variable, path): [] if many else None for path in paths}
        query = {"filter": {"id": {"_in": keys}}, "fields": paths, "limit": -1}
        rows = await self._reader.rows(model, ADMINISTRATOR, caller, LOOKUPS[variable], query)
        found = {}
        for path in paths:
            values = [value for row in rows for value in _reach(row, path.split("."))]
            found[variable, path] = values if many or len(values) > 1 else (values[0] if values else None)
        return found


def _own(model: Model, variable: str, path: str) -> bool:
    """Whether a path is a column of the variable's own row: changes of those rows are changes of rights."""
    found = model.collections[LOOKUPS[variable]].fields.get(path)
    return found is not None and not found.alias


def _keys_of(caller: Caller, variable: str) -> list[str]:
    found: Mapping[str, Iterable[UUID | None]] = {
        "CURRENT_USER": [caller.user],
        "CURRENT_ROLE": [caller.role],
        "CURRENT_ROLES": caller.roles,
        "CURRENT_POLICIES": caller.policies,
    }
    return [str(key) for key in found[variable] if key is not None]


def _reach(value: Any, path: list[str]) -> list[Any]:
    if isinstance(value, list):
        return [found for entry in value for found in _reach(entry, path)]
    if not path:
        return [value]
    return _reach(value[path[0]], path[1:]) if isinstance(value, Mapping) and path[0] in value else []


def _distinct(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    # A policy that applies twice counts where it has the higher precedence.
    latest: dict[UUID, Policy] = {}
    for policy in policies:
        latest.pop(policy.id, None)
        latest[policy.id] = policy
    return tuple(latest.values())


def _addresses(stored: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (stored or "").split(",") if part.strip())


def _listed(address: str, entries: tuple[str, ...]) -> bool:
    try:
        wanted = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(_matches(wanted, entry) for entry in entries)


def _matches(address: ipaddress.IPv4Address | ipaddress.IPv6Address, entry: str) -> bool:
    try:
        if "-" in entry:
            first, last = (ipaddress.ip_address(part.strip()) for part in entry.split("-", 1))
            return first.version == last.version == address.version and int(first) <= int(address) <= int(
                last
            )
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
    return address.version == network.version and address in network
