"""Users: addresses, passwords, tokens, and what ends their sessions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from domain.access.emails import is_email
from domain.access.secrets import MASK, digest
from domain.errors import FailedValidation, InvalidPayload, RecordNotUnique
from projections.system.guards.base import (
    SQL,
    Action,
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

    async def payload(
        self, occasion: Occasion, action: Action, keys: Sequence[str], payload: Payload
    ) -> Payload:
        """Check what identifies a user, and turn the token into its digest."""
        written = {name: value for name, value in payload.items() if not (name in _SECRETS and value == MASK)}
        if action == "update" and not occasion.command.trusted:
            _refuse_unwanted(occasion, written)
        if "email" in written:
            await _check_email(occasion, action, keys, written["email"])
        if "password" in written:
            written["password"] = written["password"] or None
            await _check_password(occasion, written["password"])
        if "token" in written:
            written["token"] = await _checked_token(occasion, action, keys, written["token"])
        if written.get("tfa_secret"):
            written["tfa_secret"] = occasion.writer.seal(str(written["tfa_secret"]))
        if action == "update" and not occasion.command.trusted and _is_from_elsewhere(written):
            written["auth_data"] = None
        return written

    async def before_delete(self, occasion: Occasion, keys: Sequence[str]) -> None:
        """Take the users out of rows that only mention them."""
        cursor = await occasion.connection.execute(SQL["traces_of_users"], {"keys": list(keys)})
        for collection, key, field in await cursor.fetchall():
            await occasion.writer.update(
                occasion.command.tidying(),
                occasion.model,
                collection,
                [key],
                {field: None},
                connection=occasion.connection,
            )

    async def after(self, occasion: Occasion, action: Action, keys: Sequence[str], payload: Payload) -> None:
        """End sessions where the change demands it, and keep one administrator."""
        if action == "update" and payload.keys() <= HARMLESS:
            return
        await tell_of_rights(occasion)
        if action == "create" or (action == "update" and _may_take_seats(payload)):
            await require_seats(occasion)
        if action == "create":
            return
        if payload.get("status", "active") != "active":
            await _end_sessions(occasion, keys, None)
        elif "password" in payload or "email" in payload:
            await _end_sessions(occasion, keys, occasion.command.session)
        if action == "delete" or any(name in payload for name in _OF_ADMINS):
            await keep_an_admin(occasion)


def _may_take_seats(payload: Payload) -> bool:
    return payload.get("status") == "active" or "role" in payload or "policies" in payload


_SECRETS = frozenset({"password", "token", "tfa_secret"})


def _is_from_elsewhere(payload: Payload) -> bool:
    return any(name in payload for name in _FROM_OUTSIDE)


def _refuse_unwanted(occasion: Occasion, payload: Payload) -> None:
    if "tfa_secret" in payload:
        raise InvalidPayload('You can\'t change the "tfa_secret" value manually')
    for name in _FROM_OUTSIDE:
        if name in payload and not occasion.command.rights.admin:
            raise InvalidPayload(f'You can\'t change the "{name}" value manually')


async def _check_email(occasion: Occasion, action: Action, keys: Sequence[str], email: Any) -> None:
    if email is None and action == "update":
        return
    if not isinstance(email, str) or not is_email(email):
        raise FailedValidation("email", "email", occasion.path)
    if len(keys) > 1 or await occasion.holders("same_email", email, _email) - set(keys):
        # The brackets are the reference's, and clients look for them.
        raise RecordNotUnique(COLLECTION, "email", value=f"[{email.lower()}]")


def _email(payload: Payload) -> str | None:
    email = payload.get("email")
    return email if isinstance(email, str) and is_email(email) else None


def _token(payload: Payload) -> str | None:
    token = payload.get("token")
    return None if token in (None, "", MASK) else digest(str(token))


async def _check_password(occasion: Occasion, password: Any) -> None:
    for policy in await occasion.holders("password_policy", "", lambda _: None):
        if password is not None:
            require_fitting(policy, str(password), occasion.path)


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


async def _checked_token(occasion: Occasion, action: Action, keys: Sequence[str], token: Any) -> str | None:
    if token is None or token == "":
        return None
    text = str(token)
    stored = digest(text)
    if len(keys) > 1 or await occasion.holders("same_token", stored, _token) - set(keys):
        raise RecordNotUnique(COLLECTION, "token", value=text)
    return stored


async def _end_sessions(occasion: Occasion, keys: Sequence[str], keep: str | None) -> None:
    kept = digest(keep) if keep else None
    await occasion.connection.execute(SQL["hold_sessions"], {"keys": list(keys)})
    await occasion.connection.execute(SQL["end_sessions"], {"keys": list(keys), "keep": kept})
