"""`/shares/auth`, `/shares/invite`, `/shares/info`: letting people in who have no account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiohttp import web

from api.auth.attempts import Attempts
from api.auth.credentials import Origin, origin_of
from api.auth.fields import text_of
from api.auth.issuing import MODES, Issuer, Mode, Signed
from api.auth.links import own_url
from api.auth.passwords import verify
from api.auth.routes import answer
from api.bodies import read_object
from api.keys import ACCOUNT_LOOKUP, CONTEXT, ITEMS, POST, REQUEST_ID, SETTINGS, SHARES
from api.responses import data, no_content
from domain.access.emails import is_email
from domain.access.secrets import MASK
from domain.errors import Forbidden, InvalidCredentials, InvalidPayload, RouteNotFound
from projections.database import Database
from projections.system.accounts import Accounts, Share, lock_share
from projections.system.users import UserLog
from services.mail.templates import as_html

COLLECTION = "directus_shares"
MOST_ADDRESSES = 100


@dataclass(frozen=True, slots=True)
class ShareLogin:
    """Enters shares."""

    database: Database
    accounts: Accounts
    issuer: Issuer
    attempts: Attempts
    users: UserLog

    async def enter(
        self, share: UUID, password: str | None, mode: Mode, origin: Origin, request: UUID
    ) -> Signed:
        """Begin a session of a share, and count its use.

        Raises:
            InvalidCredentials: unknown, not open, used up, or the wrong password.
        """
        found = await self.accounts.share(share)
        usable = found is not None and found.open and not found.exhausted
        stored = found.password if found is not None and usable else None
        if stored is not None:
            await self.attempts.on_share(share)
        if stored is not None or not usable:
            right = await verify(stored, password or "")
            if not right:
                raise InvalidCredentials()
            await self.attempts.forgive_share(share)
        await self._use(share, origin, request)
        return await self.issuer.begin_share(share, mode, origin)

    async def _use(self, share: UUID, origin: Origin, request: UUID) -> None:
        async with self.database.transaction() as connection:
            uses = await lock_share(connection, share)
            # Whoever came in between may have been the last.
            if uses is None or (uses[1] is not None and uses[0] >= uses[1]):
                raise InvalidCredentials()
            await self.users.used_share(connection, share, uses[0] + 1, request)


async def authenticate(request: web.Request) -> web.Response:
    """POST /shares/auth."""
    body = await read_object(request)
    share = _uuid(text_of(body, "share", required=True))
    password = body.get("password")
    if password is not None and not isinstance(password, str):
        raise InvalidPayload('"password" must be a string')
    mode = body.get("mode") or "json"
    if mode not in MODES:
        raise InvalidPayload(f'"mode" must be one of [{", ".join(MODES)}]')
    if share is None:
        raise InvalidCredentials()
    settings = request.app[SETTINGS].auth
    signed = await request.app[SHARES].enter(
        share, password, mode, origin_of(request, settings), UUID(request[REQUEST_ID])
    )
    return answer(signed, mode, settings)


async def info(request: web.Request) -> web.Response:
    """GET /shares/info/{share}: what a visitor has to know before."""
    share = _uuid(request.match_info["share"])
    if share is None:
        raise RouteNotFound(request.path)
    found = await request.app[ACCOUNT_LOOKUP].share(share)
    if found is None or not found.open:
        raise Forbidden()
    return data(_shown(found))


async def invite(request: web.Request) -> web.Response:
    """POST /shares/invite: send the link to people."""
    context = request[CONTEXT]
    if context.caller.user is None:
        raise Forbidden()
    body = await read_object(request)
    share = text_of(body, "share", required=True)
    key = _uuid(share)
    if (
        key is None
        or await request.app[ITEMS].reads.one(context, COLLECTION, share, {"fields": ["id"]}) is None
    ):
        raise Forbidden()
    emails = body.get("emails")
    if not isinstance(emails, list) or not all(
        isinstance(email, str) and is_email(email) for email in emails
    ):
        raise InvalidPayload('"emails" must be an array of addresses')
    if len(emails) > MOST_ADDRESSES:
        raise InvalidPayload(f'"emails" must hold no more than {MOST_ADDRESSES} addresses')
    url = own_url(request.app[SETTINGS], f"/admin/shared/{key}")
    text = as_html("<p>Something was shared with you. Open it here:</p>")
    for email in dict.fromkeys(emails):
        request.app[POST].letter(email, "Something was shared with you", "base", {"html": text, "url": url})
    return no_content()


def routes() -> list[web.RouteDef]:
    """These have to come before the routes of `/shares` with keys."""
    return [
        web.post("/shares/auth", authenticate),
        web.post("/shares/invite", invite),
        web.get("/shares/info/{share}", info),
    ]


def _shown(share: Share) -> dict[str, Any]:
    return {
        "id": str(share.id),
        "collection": share.collection,
        "item": share.item,
        "password": MASK if share.password else None,
        "max_uses": share.max_uses,
        "times_used": share.times_used,
        "date_start": _moment(share.date_start),
        "date_end": _moment(share.date_end),
    }


def _moment(value: Any) -> str | None:
    if value is None:
        return None
    text: str = value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return text


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text) == 36 else None
    except ValueError:
        return None
