"""How accounts come to be and are regained: invitations, registration, forgotten passwords."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from api.auth.credentials import Origin
from api.auth.issuing import caller_of
from api.auth.links import is_listed, own_url, with_query
from api.auth.tokens import Signer
from api.items import Items
from api.keys import Context
from domain.access.emails import is_email
from domain.errors import FailedValidation, Forbidden, InvalidInvite, InvalidPayload, RecordNotUnique
from domain.items.rules import failures
from domain.settings import Settings
from projections.system.accounts import Account, Accounts, Project
from projections.system.guards.users import require_fitting
from projections.system.rights import RightsStore
from projections.system.users import USERS, UserLog
from services.mail.post import Post

RESET_SECONDS = 86_400
RESET, INVITE, REGISTER = "password-reset", "invite", "pending-registration"


@dataclass(frozen=True, slots=True)
class Registration:
    """What somebody registers with."""

    email: str
    password: str
    first_name: str | None
    last_name: str | None
    url: str | None


class AccountService:
    """The commands behind links in mail."""

    def __init__(
        self,
        accounts: Accounts,
        users: UserLog,
        items: Items,
        rights: RightsStore,
        signer: Signer,
        post: Post,
        settings: Settings,
    ) -> None:
        self._accounts = accounts
        self._users = users
        self._items = items
        self._rights = rights
        self._signer = signer
        self._post = post
        self._settings = settings

    async def request_reset(self, email: str, url: str | None) -> None:
        """Send a link with which a new password can be set; nobody learns whether there is such a user.

        Raises:
            InvalidPayload: a link may not lead to ``url``.
        """
        base = self._base(url, self._settings.auth.reset_urls, "/admin/reset-password", "reset passwords")
        account = await self._accounts.by_email(email)
        if account is None or account.status != "active" or account.provider != "default":
            return
        claims = {"email": account.email, "scope": RESET, "hash": _short(account.password)}
        link = with_query(base, token=self._signer.sign(claims, RESET_SECONDS))
        self._send(account.email or email, "Password Reset Request", "password-reset", link)

    async def reset(self, token: str, password: str, origin: Origin, request: UUID) -> None:
        """Set a new password by a link that was sent; it works once.

        Raises:
            InvalidToken, TokenExpired, Forbidden, FailedValidation
        """
        claims = self._claims(token, RESET)
        account = await self._accounts.by_email(str(claims.get("email")))
        if account is None or account.status != "active" or claims.get("hash") != _short(account.password):
            raise Forbidden()
        await self._change(origin, request, account, {"password": password})

    async def invite(self, context: Context, emails: list[str], role: str, url: str | None) -> None:
        """Create users who may choose a password by the link they are sent; with the caller's own rights.

        Raises:
            InvalidPayload, Forbidden, FailedValidation
        """
        base = self._base(url, self._settings.auth.invite_urls, "/admin/accept-invite", "invite users")
        if not context.rights.may(USERS, "create"):
            raise Forbidden.action("create", USERS)
        for email in emails:
            if not is_email(email):
                raise FailedValidation("email", "email")
        for email in emails:
            account = await self._accounts.by_email(email)
            if account is None:
                await self._items.create(
                    context, USERS, [{"email": email, "role": role, "status": "invited"}]
                )
            elif account.status != "invited":
                continue
            elif str(account.role) != role.lower():
                await self._items.update(context, USERS, [str(account.id)], {"role": role})
            claims = {"email": email, "scope": INVITE}
            link = with_query(base, token=self._signer.sign(claims, self._settings.auth.invite_ttl))
            self._send(email, "You've been invited", "user-invitation", link)

    async def accept(self, token: str, password: str, origin: Origin, request: UUID) -> None:
        """Choose a password as an invited user.

        Raises:
            InvalidToken, TokenExpired, Forbidden, InvalidInvite, FailedValidation
        """
        claims = self._claims(token, INVITE)
        account = await self._accounts.by_email(str(claims.get("email")))
        if account is None or account.status != "invited":
            raise InvalidInvite()
        await self._change(origin, request, account, {"password": password, "status": "active"})

    def require_registration_url(self, url: str | None) -> str:
        """The address a verification link leads to.

        Raises:
            InvalidPayload
        """
        listed = self._settings.auth.register_urls
        return self._base(url, listed, "/users/register/verify-email", "verify registered users")

    async def register(self, wanted: Registration, base: str, origin: Origin, request: UUID) -> None:
        """Create a user who asks for it, where that is permitted; nobody learns whether there was one.

        Raises:
            Forbidden, FailedValidation
        """
        project = await self._accounts.project()
        if not project.registration:
            raise Forbidden()
        if project.email_filter and failures(project.email_filter, {"email": wanted.email}):
            raise Forbidden()
        require_fitting(project.password_policy, wanted.password)
        account = await self._accounts.by_email(wanted.email)
        if account is not None and account.status != "unverified":
            return
        if account is None and not await self._created(wanted, project, origin, request):
            return
        if project.verify_email:
            claims = {"email": wanted.email, "scope": REGISTER}
            token = self._signer.sign(claims, self._settings.auth.verification_ttl)
            names = {"first_name": wanted.first_name, "last_name": wanted.last_name}
            link = with_query(base, token=token)
            self._send(wanted.email, "Verify your email address", "user-registration", link, **names)

    async def verify(self, token: str, origin: Origin, request: UUID) -> UUID:
        """Accept a verification link; the user's key.

        Raises:
            InvalidToken, TokenExpired, Forbidden, InvalidPayload
        """
        claims = self._claims(token, REGISTER)
        account = await self._accounts.by_email(str(claims.get("email")))
        if account is None or account.status != "unverified":
            raise InvalidPayload("Invalid verification code")
        await self._change(origin, request, account, {"status": "active"})
        return account.id

    async def _created(self, wanted: Registration, project: Project, origin: Origin, request: UUID) -> bool:
        payload = {
            "email": wanted.email,
            "password": wanted.password,
            "first_name": wanted.first_name,
            "last_name": wanted.last_name,
            "role": str(project.registration_role) if project.registration_role else None,
            "status": "unverified" if project.verify_email else "active",
        }
        try:
            await self._users.create(caller_of(None, None, origin), request, payload)
        except RecordNotUnique:
            # Somebody was quicker; who, is nobody's business.
            return False
        finally:
            self._rights.settle()
        return True

    async def _change(self, origin: Origin, request: UUID, account: Account, payload: dict[str, Any]) -> None:
        try:
            await self._users.change(caller_of(None, None, origin), request, account.id, payload)
        finally:
            self._rights.settle()

    def _claims(self, token: str, scope: str) -> dict[str, Any]:
        claims = self._signer.read(token)
        if claims.get("scope") != scope:
            raise Forbidden()
        return claims

    def _base(self, url: str | None, listed: tuple[str, ...], path: str, purpose: str) -> str:
        if url is None:
            return own_url(self._settings, path)
        if not is_listed(url, listed):
            raise InvalidPayload(f'URL "{url}" can\'t be used to {purpose}')
        return url

    def _send(self, email: str, subject: str, template: str, link: str, **more: Any) -> None:
        self._post.letter(email, subject, template, {"url": link, "email": email, **more})


def _short(stored: str | None) -> str:
    # Enough to tell one password's hash from the next, and nothing to attack it with.
    return hashlib.sha256(f"reset:{stored}".encode()).hexdigest()[:16]
