"""`/auth/login/{provider}`: where users are sent to and come back from."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from aiohttp import hdrs, web

from api.auth.cookies import set_cookie
from api.auth.credentials import Origin, origin_of
from api.auth.fields import text_of
from api.auth.issuing import MODES, Mode, Signed
from api.auth.links import is_listed, is_web, own_url, with_query
from api.auth.login import stalled
from api.auth.routes import answer, local_login
from api.auth.sso.ldap import Directory
from api.auth.sso.oauth import NotGranted, OAuthClient, OpenIdClient
from api.auth.sso.providers import Client
from api.auth.sso.saml import SamlClient
from api.bodies import read_object
from api.keys import LOGIN, PROVIDERS, REQUEST_ID, SETTINGS, SIGNER
from api.responses import no_content
from domain.errors import ActaError, InvalidCredentials, InvalidPayload, RouteNotFound
from domain.settings import Settings
from domain.settings_providers import LocalProvider

MOST_FORM_BYTES = 512 * 1024


async def start(request: web.Request) -> web.Response:
    """GET /auth/login/{provider}: to the provider."""
    client = _client(request)
    if isinstance(client, Directory):
        raise RouteNotFound(request.path)
    wanted = request.query.get("redirect") or "/"
    _require_redirect(request.app[SETTINGS], client, wanted)
    if isinstance(client, SamlClient):
        return _found(await client.login_url(wanted))
    callback = _callback_url(request, client)
    prompt = bool(request.query.get("prompt"))
    begun = await client.start(callback, prompt=prompt)
    state = {
        "verifier": begun.verifier,
        "redirect": wanted,
        "prompt": prompt,
        "otp": request.query.get("otp"),
        "callbackUrl": callback,
    }
    response = _found(begun.url)
    response.set_cookie(
        _cookie(client),
        request.app[SIGNER].sign({**state, "scope": _cookie(client)}, client.settings.timeout),
        path="/",
        httponly=True,
        samesite="Lax",
        secure=client.settings.cookie_secure,
    )
    return response


async def post(request: web.Request) -> web.Response:
    """POST /auth/login/{provider}: with a password, for local providers and directories."""
    name = request.match_info["provider"]
    if isinstance(request.app[SETTINGS].providers.providers.get(name), LocalProvider):
        return await local_login(request, name)
    client = _client(request)
    if not isinstance(client, Directory):
        raise RouteNotFound(request.path)
    body = await read_object(request)
    identifier, password = (text_of(body, name, required=True) for name in ("identifier", "password"))
    mode, otp = body.get("mode", "json"), text_of(body, "otp") or None
    if mode not in MODES:
        raise InvalidPayload(f'"mode" must be one of [{", ".join(MODES)}]')
    settings = request.app[SETTINGS].auth
    entering = request.app[PROVIDERS].enter_directory(
        client, identifier, password, mode, otp, *_from(request)
    )
    return answer(await stalled(entering, settings.login_stall), mode, settings, with_access=True)


async def bounce(request: web.Request) -> web.Response:
    """POST /auth/login/{provider}/callback: the same as a GET, with which our cookie is sent."""
    if not isinstance(_client(request), OAuthClient):
        raise RouteNotFound(request.path)
    response = web.Response(status=303)
    response.headers[hdrs.LOCATION] = f"./callback?{urlencode(await _form(request))}"
    return response


async def callback(request: web.Request) -> web.Response:
    """GET /auth/login/{provider}/callback: back from the provider, with a code."""
    client = _client(request)
    if not isinstance(client, OAuthClient):
        raise RouteNotFound(request.path)
    try:
        state = request.app[SIGNER].read(request.cookies.get(_cookie(client), ""))
        if state.get("scope") != _cookie(client):
            raise InvalidCredentials()
    except ActaError:
        if isinstance(client, OpenIdClient):
            return _found(own_url(request.app[SETTINGS], "/admin/login?reason=INVALID_CREDENTIALS"))
        raise InvalidCredentials() from None
    redirect = str(state["redirect"])
    try:
        profile = await client.finish(state["callbackUrl"], state["verifier"], request.query)
        response = await _entered(request, client, profile, redirect, state.get("otp"))
    except NotGranted as error:
        if str(error) == "invalid_grant" and not state.get("prompt"):
            response = _found(f"./?{urlencode({'redirect': redirect, 'prompt': 'true'})}")
        else:
            response = _found(_with_reason(redirect, "INVALID_CREDENTIALS"))
    except ActaError as error:
        response = _found(_with_reason(redirect, error.code))
    response.del_cookie(_cookie(client), path="/")
    return response


async def acs(request: web.Request) -> web.Response:
    """POST /auth/login/{provider}/acs: back from a SAML provider, with an assertion."""
    client = _saml(request)
    form = await _form(request)
    relay = form.get("RelayState") or ""
    assertion = await client.accept(form)
    await request.app[PROVIDERS].require_unused(f"{client.name}:{assertion.id}", assertion.seconds)
    if not relay:
        signed = await request.app[PROVIDERS].enter(assertion.profile, "json", None, *_from(request))
        return answer(signed, "json", request.app[SETTINGS].auth)
    # It came through the user's hands.
    _require_redirect(request.app[SETTINGS], client, relay)
    try:
        return await _entered(request, client, assertion.profile, relay, None)
    except ActaError as error:
        return _found(_with_reason(relay, error.code))


async def metadata(request: web.Request) -> web.Response:
    """GET /auth/login/{provider}/metadata: what a SAML provider has to know of us."""
    return web.Response(body=await _saml(request).metadata(), content_type="text/xml")


async def saml_logout(request: web.Request) -> web.Response:
    """POST /auth/login/{provider}/logout: sign out here, and there where that is wanted."""
    client = _saml(request)
    settings = request.app[SETTINGS].auth
    url = await client.logout_url("/")
    response = no_content() if url is None else _found(url)
    if refresh := request.cookies.get(settings.refresh_cookie_name):
        await request.app[LOGIN].logout(refresh, *_from(request))
        set_cookie(response, "", "refresh", settings)
    if session := request.cookies.get(settings.session_cookie_name):
        token = request.app[SIGNER].read(session).get("session")
        if isinstance(token, str):
            await request.app[LOGIN].logout(token, *_from(request))
        set_cookie(response, "", "session", settings)
    return response


def routes() -> list[web.RouteDef]:
    """The routes of all drivers; which of them a provider has depends on its driver."""
    return [
        web.get("/auth/login/{provider}", start),
        web.post("/auth/login/{provider}", post),
        web.get("/auth/login/{provider}/callback", callback),
        web.post("/auth/login/{provider}/callback", bounce),
        web.post("/auth/login/{provider}/acs", acs),
        web.get("/auth/login/{provider}/metadata", metadata),
        web.post("/auth/login/{provider}/logout", saml_logout),
    ]


async def _entered(
    request: web.Request, client: OAuthClient | SamlClient, profile: Any, redirect: str, otp: str | None
) -> web.Response:
    settings = request.app[SETTINGS]
    mode: Mode = client.settings.mode
    signed: Signed = await request.app[PROVIDERS].enter(profile, mode, otp, *_from(request))
    if signed.enforce_tfa:
        redirect = own_url(settings, "/admin/tfa-setup?") + urlencode(
            {"redirect": redirect, "provider": client.name}
        )
    response = _found(redirect)
    if mode == "cookie":
        set_cookie(response, signed.refresh, "refresh", settings.auth)
    else:
        set_cookie(response, signed.access, "session", settings.auth)
    return response


def _client(request: web.Request) -> Client:
    client = request.app[PROVIDERS].clients.get(request.match_info["provider"])
    if client is None:
        raise RouteNotFound(request.path)
    return client


def _saml(request: web.Request) -> SamlClient:
    client = _client(request)
    if not isinstance(client, SamlClient):
        raise RouteNotFound(request.path)
    return client


def _cookie(client: OAuthClient) -> str:
    return f"{client.settings.driver}.{client.name}"


def _callback_url(request: web.Request, client: OAuthClient) -> str:
    settings = request.app[SETTINGS]
    asked = f"{request.scheme}://{request.host}".lower()
    for url in settings.auth.allowed_public_urls:
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}".lower() == asked:
            return f"{url.rstrip('/')}/auth/login/{client.name}/callback"
    return own_url(settings, f"/auth/login/{client.name}/callback")


def _require_redirect(settings: Settings, client: OAuthClient | SamlClient, wanted: str) -> None:
    refused = InvalidPayload(f'URL "{wanted}" can\'t be used to redirect after login')
    # Browsers read "//host" and "/\host" as another host.
    if wanted.startswith("/"):
        if wanted.startswith(("//", "/\\")) or any(ord(sign) < 32 for sign in wanted):
            raise refused
        return
    if not is_web(wanted) or "\\" in wanted or any(ord(sign) < 33 for sign in wanted):
        raise refused
    here, there = urlsplit(settings.server.public_url), urlsplit(wanted)
    if (here.scheme, here.netloc) != (there.scheme, there.netloc) and not is_listed(
        wanted, client.settings.redirects
    ):
        raise refused


def _with_reason(redirect: str, code: str) -> str:
    return with_query(redirect.partition("#")[0].partition("?")[0], reason=code)


def _found(url: str) -> web.Response:
    response = web.Response(status=302)
    response.headers[hdrs.LOCATION] = url
    return response


async def _form(request: web.Request) -> dict[str, str]:
    if (request.content_length or 0) > MOST_FORM_BYTES:
        raise InvalidPayload("Request body is too large")
    try:
        return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    except (ValueError, LookupError):
        raise InvalidPayload("Couldn't parse body as form") from None


def _from(request: web.Request) -> tuple[Origin, UUID]:
    return origin_of(request, request.app[SETTINGS].auth), UUID(request[REQUEST_ID])
