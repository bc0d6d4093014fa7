"""Users: addresses, passwords, tokens, and what ends their sessions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from domain.access.emails import is_email
from domain.access.secrets import MASK, digest
from domain.errors import FailedValidation, InvalidPayload, RecordNotUnique
from projections.system.guards.base import (
    SQL,
    Action,
    Change,
    Guard,
    Occasion,
    Payload,
    keep_an_admin,
    require_seats,
    tell_of_rights,
)

COLLECTION = "directus_users"
# Changing these says nothing about who may do what.
HARMLESS = frozenset({"last_access", "last_page"})
_OF_ADMINS = ("status", "role", "policies")
_FROM_OUTSIDE = ("provider", "external_identifier")


class UserGuard(Guard):
    """The rules of `/users`."""

    async def payloads(
        self, occasion: Occasion, action: Action, changes: Sequence[Change]
    ) -> Sequence[Payload]:
        """Check what identifies users, and turn tokens into their digests."""
        changes = [replace(change, payload=_without_masks(change.payload)) for change in changes]
        if action == "update" and not occasion.command.trusted:
            for change in changes:
                _refuse_unwanted(occasion, change.payload)
        await _check_emails(occasion, action, changes)
        await _check_passwords(occasion, changes)
        await _check_tokens(occasion, changes)
        return [_stored(occasion, action, change.payload) for change in changes]

    async def before_delete(self, occasion: Occasion, keys: Sequence[str]) -> None:
        """Take the users out of rows that only mention them."""
        for collection, field, rows in await occasion.rows(SQL["traces_of_users"], keys=list(keys)):
            await occasion.writer.update(
                occasion.command.tidying(),
                occasion.model,
                collection,
                rows,
                {field: None},
                connection=occasion.connection,
            )

    async def after(self, occasion: Occasion, action: Action, changes: Sequence[Change]) -> None:
        """End sessions where the change demands it, and keep one administrator."""
        if action == "update":
            changes = [change for change in changes if not change.payload.keys() <= HARMLESS]
        if not changes:
            return
        await tell_of_rights(occasion)
        if action == "create" or any(_may_take_seats(change.payload) for change in changes):
            await require_seats(occasion)
        if action == "create":
            return
        if action == "update":
            await _end_sessions(occasion, changes)
        if action == "delete" or any(name in change.payload for change in changes for name in _OF_ADMINS):
            await keep_an_admin(occasion)


def _may_take_seats(payload: Payload) -> bool:
    return payload.get("status") == "active" or "role" in payload or "policies" in payload


def _without_masks(payload: Payload) -> Payload:
    return {name: value for name, value in payload.items() if not (name in _SECRETS and value == MASK)}


def _stored(occasion: Occasion, action: Action, payload: Payload) -> Payload:
    """A checked payload with its secrets in the form in which they are kept."""
    written = dict(payload)
    if "password" in written:
        written["password"] = written["password"] or None
    if "token" in written:
        written["token"] = _token(payload)
    if written.get("tfa_secret"):
        written["tfa_secret"] = occasion.writer.seal(str(written["tfa_secret"]))
    if action == "update" and not occasion.command.trusted and _is_from_elsewhere(written):
        written["auth_data"] = None
    return written


_SECRETS = frozenset({"password", "token", "tfa_secret"})


def _is_from_elsewhere(payload: Payload) -> bool:
    return any(name in payload for name in _FROM_OUTSIDE)


def _refuse_unwanted(occasion: Occasion, payload: Payload) -> None:
    if "tfa_secret" in payload:
        raise InvalidPayload('You can\'t change the "tfa_secret" value manually')
    for name in _FROM_OUTSIDE:
        if name in payload and not occasion.command.rights.admin:
            raise InvalidPayload(f'You can\'t change the "{name}" value manually')


async def _check_emails(occasion: Occasion, action: Action, changes: Sequence[Change]) -> None:
    for change in changes:
        email = change.payload.get("email")
        if "email" not in change.payload or (email is None and action == "update"):
            continue
        if not isinstance(email, str) or not is_email(email):
            raise FailedValidation("email", "email", change.path)
    emails = [email and email.lower() for email in (change.payload.get("email") for change in changes)]
    taken = await _taken(occasion, changes, emails, "same_email")
    if taken is not None:
        # The brackets are the reference's, and clients look for them.
        raise RecordNotUnique(COLLECTION, "email", value=f"[{emails[taken]}]")


async def _check_passwords(occasion: Occasion, changes: Sequence[Change]) -> None:
    changes = [change for change in changes if change.payload.get("password")]
    for (policy,) in await occasion.rows(SQL["password_policy"]) if changes else ():
        for change in changes:
            require_fitting(policy, str(change.payload["password"]), change.path)


async def _check_tokens(occasion: Occasion, changes: Sequence[Change]) -> None:
    taken = await _taken(occasion, changes, [_token(change.payload) for change in changes], "same_token")
    if taken is not None:
        raise RecordNotUnique(COLLECTION, "token", value=str(changes[taken].payload["token"]))


def _token(payload: Payload) -> str | None:
    token = payload.get("token")
    return None if token is None or token == "" else digest(str(token))


async def _taken(
    occasion: Occasion, changes: Sequence[Change], values: Sequence[str | None], statement: str
) -> int | None:
    """The place of the first change whose value another user has, or gets by the same command."""
    holders = await occasion.holders(statement, values)
    for place, (change, value) in enumerate(zip(changes, values, strict=True)):
        if value is None:
            continue
        if len(change.keys) > 1 or holders[value] - set(change.keys):
            return place
        holders[value].update(change.keys or ("",))
    return None


def require_fitting(policy: str | None, password: str, path: Sequence[str] = ()) -> None:
    """Hold a new password against the project's policy.

    Raises:
        FailedValidation
    """
    if not policy:
        return
    pattern = policy[1:-1] if len(policy) > 1 and policy[0] == policy[-1] == "/" else policy
    try:
        fits = re.search(pattern, password) is not None
    except re.error:
        fits = True
    if not fits:
        # The reference answers the refused password; the mask tells as much and harms nobody.
        raise FailedValidation("password", "regex", path, invalid=MASK)


async def _end_sessions(occasion: Occasion, changes: Sequence[Change]) -> None:
    """All of users who are active no more; of those with another password or address all but the caller's."""
    ended: list[str] = []
    renewed: list[str] = []
    for change in changes:
        if change.payload.get("status", "active") != "active":
            ended += change.keys
        elif "password" in change.payload or "email" in change.payload:
            renewed += change.keys
    if ended or renewed:
        keep = occasion.command.session
        values = {"keys": ended, "others": renewed, "keep": digest(keep) if keep else None}
        await occasion.connection.execute(SQL["hold_sessions"], {"keys": ended + renewed})
        await occasion.connection.execute(SQL["end_sessions"], values)
