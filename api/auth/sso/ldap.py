"""LDAP directories: the only module that speaks to them, in threads, since the client blocks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ldap3 import BASE, LEVEL, NONE, SUBTREE, Connection, Server
from ldap3.core.exceptions import LDAPBindError, LDAPException
from ldap3.utils.conv import escape_filter_chars

from domain.errors import InvalidCredentials, ServiceUnavailable
from domain.settings_providers import LdapProvider

SCOPES = {"base": BASE, "one": LEVEL, "sub": SUBTREE}
TIMEOUT_SECONDS = 10
# Bits of Active Directory: disabled, locked out, password expired.
DISABLED = 0x2 | 0x10 | 0x800000
CONTROL = "userAccountControl"


@dataclass(frozen=True, slots=True)
class Entry:
    """A person of a directory, and the names of their groups."""

    dn: str
    email: str | None
    first_name: str | None
    last_name: str | None
    groups: tuple[str, ...]


class Directory:
    """One directory."""

    def __init__(self, name: str, settings: LdapProvider) -> None:
        self.name = name
        self.settings = settings

    async def authenticate(self, identifier: str, password: str) -> Entry:
        """The entry of a person who knows their password.

        Raises:
            InvalidCredentials, ServiceUnavailable
        """
        return await asyncio.to_thread(self._authenticate, identifier, password)

    async def require_usable(self, dn: str) -> None:
        """Refuse a person whose account was removed, disabled or locked.

        Raises:
            InvalidCredentials, ServiceUnavailable
        """
        await asyncio.to_thread(self._require_usable, dn)

    def _authenticate(self, identifier: str, password: str) -> Entry:
        given = self.settings
        try:
            with self._connected() as connection:
                wanted = f"({given.user_attribute}={escape_filter_chars(identifier)})"
                attributes = [given.mail_attribute, given.first_name_attribute, given.last_name_attribute]
                found = self._search(connection, given.user_dn, wanted, given.user_scope, attributes)
                # An empty password would bind as nobody, and succeed.
                if len(found) != 1 or not password:
                    raise InvalidCredentials()
                entry = found[0]
                dn = str(entry["dn"])
                groups = self._groups(connection, dn)
            self._require_password(dn, password)
        except UnicodeEncodeError:
            # Half a character: no name or password has one.
            raise InvalidCredentials() from None
        except LDAPException as error:
            raise ServiceUnavailable("ldap", "the directory does not answer as it should") from error
        values = entry["attributes"]
        _require_usable(values)
        first, last = _text(values, given.first_name_attribute), _text(values, given.last_name_attribute)
        return Entry(dn, _text(values, given.mail_attribute), first, last, groups)

    def _require_usable(self, dn: str) -> None:
        try:
            with self._connected() as connection:
                found = self._search(connection, dn, "(objectClass=*)", "base", [])
        except LDAPException as error:
            raise ServiceUnavailable("ldap", "the directory does not answer as it should") from error
        if len(found) != 1:
            raise InvalidCredentials()
        _require_usable(found[0]["attributes"])

    def _server(self) -> Server:
        return Server(self.settings.url, get_info=NONE, connect_timeout=TIMEOUT_SECONDS)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection of who searches. The library's own context leaves open what was opened before it."""
        secret = self.settings.bind_password.get_secret_value() if self.settings.bind_password else None
        connection = self._connection(self.settings.bind_dn or None, secret)
        try:
            connection.open()
            if not connection.bind():
                raise LDAPBindError(str(connection.result.get("description")))
            yield connection
        finally:
            connection.unbind()

    def _require_password(self, dn: str, password: str) -> None:
        connection = self._connection(dn, password)
        try:
            if not connection.bind():
                raise InvalidCredentials()
        finally:
            connection.unbind()

    def _connection(self, user: str | None, password: str | None) -> Connection:
        return Connection(
            self._server(),
            user=user,
            password=password,
            read_only=True,
            receive_timeout=TIMEOUT_SECONDS,
            raise_exceptions=False,
        )

    def _groups(self, connection: Connection, dn: str) -> tuple[str, ...]:
        given = self.settings
        if given.group_dn is None:
            return ()
        wanted = f"({given.group_attribute}={escape_filter_chars(dn)})"
        found = self._search(connection, given.group_dn, wanted, given.group_scope, ["cn"])
        return tuple(name for entry in found if (name := _text(entry["attributes"], "cn")))

    def _search(
        self, connection: Connection, base: str, wanted: str, scope: str, attributes: list[str]
    ) -> list[Mapping[str, Any]]:
        connection.search(
            base, wanted, SCOPES[scope], attributes=[*attributes, CONTROL], time_limit=TIMEOUT_SECONDS
        )
        return [entry for entry in connection.response or () if entry.get("type") == "searchResEntry"]


def _require_usable(attributes: Mapping[str, Any]) -> None:
    flags = _text(attributes, CONTROL)
    if flags is not None and flags.isdigit() and int(flags) & DISABLED:
        raise InvalidCredentials()


def _text(attributes: Mapping[str, Any], name: str) -> str | None:
    value = attributes.get(name)
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(value) if value not in (None, "") else None
