"""Providers that lie, answer nonsense or are not there: nobody comes in, and nothing breaks."""

from __future__ import annotations

import base64
import json
import socketserver
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from domain.errors import ActaError, InvalidCredentials, ServiceUnavailable
from domain.settings import Settings
from tests.support import ldap, oauth, saml
from tests.support.server import free_port

with warnings.catch_warnings():
    # The library of LDAP uses names that its own dependency calls old.
    warnings.simplefilter("ignore", DeprecationWarning)
    from api.auth.sso import ldap as ldap_module
    from api.auth.sso.ldap import Directory
    from api.auth.sso.oauth import NotGranted, OAuthClient, OpenIdClient
    from api.auth.sso.providers import clients_of
    from api.auth.sso.saml import SamlClient

BASE = "https://cms.example.com"
BACK = f"{BASE}/auth/login/x/callback"


@pytest.fixture(scope="module")
def provider() -> Iterator[oauth.Provider]:
    with oauth.provider() as found:
        yield found


@pytest.fixture(autouse=True)
def _in_order(provider: oauth.Provider) -> None:
    provider.instead = {}
    provider.profile = {"sub": "1", "email": "ann@example.com", "email_verified": True}


def client(driver: str, **options: str) -> Any:
    settings = {"AUTH_PROVIDERS": "x", "AUTH_X_DRIVER": driver, "PUBLIC_URL": BASE}
    given = Settings.parse(settings | {f"AUTH_X_{name}": value for name, value in options.items()})
    return clients_of(given)["x"]


def plain(url: str) -> OAuthClient:
    places = {"AUTHORIZE_URL": f"{url}/authorize", "ACCESS_URL": f"{url}/token", "PROFILE_URL": f"{url}/me"}
    found = client("oauth2", CLIENT_ID=oauth.CLIENT, CLIENT_SECRET=oauth.SECRET, **places)
    assert isinstance(found, OAuthClient)
    return found


def connect(url: str, **more: str) -> OpenIdClient:
    found = client("openid", CLIENT_ID=oauth.CLIENT, CLIENT_SECRET=oauth.SECRET, ISSUER_URL=url, **more)
    assert isinstance(found, OpenIdClient)
    return found


async def through(asking: OAuthClient, provider: oauth.Provider, **changes: str) -> Any:
    """The profile at the end of the whole way; ``changes`` are made to what comes back."""
    begun = await asking.start(BACK, prompt=False)
    back = dict(parse_qsl(urlsplit(provider.visit(begun.url)).query))
    return await asking.finish(BACK, begun.verifier, {**back, **changes})


NONSENSE = [(500, "x"), (200, "no json"), (200, "[]"), (200, "{}"), (200, "null"), (404, ""), (302, "")]


@pytest.mark.parametrize(
    ("status", "text"), [*NONSENSE, (200, '{"access_token": 5}'), (200, '{"error": {}}')]
)
async def test_nonsense_for_tokens(provider: oauth.Provider, status: int, text: str) -> None:
    provider.instead = {"/token": (status, text)}
    for asking in (plain(provider.url), connect(provider.url)):
        with pytest.raises((ServiceUnavailable, InvalidCredentials, NotGranted)):
            await through(asking, provider)


@pytest.mark.parametrize(("status", "text"), [*NONSENSE, (401, "{}"), (200, '{"email": null, "account": 7}')])
async def test_nonsense_for_profiles(provider: oauth.Provider, status: int, text: str) -> None:
    provider.instead = {"/me": (status, text)}
    with pytest.raises((ServiceUnavailable, InvalidCredentials)):
        await through(plain(provider.url), provider)


@pytest.mark.parametrize("path", ["/keys", "/.well-known/openid-configuration"])
@pytest.mark.parametrize(
    ("status", "text"),
    [
        *NONSENSE,
        (200, '{"keys": 5}'),
        (200, '{"keys": [{"kty": "oct", "k": "AA"}]}'),
        (200, '{"keys": [{}]}'),
    ],
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_nonsense_of_issuers(provider: oauth.Provider, path: str, status: int, text: str) -> None:
    provider.instead = {path: (status, text)}
    with pytest.raises((ServiceUnavailable, InvalidCredentials)):
        await through(connect(provider.url), provider)


@pytest.mark.parametrize(
    "claims",
    [
        {"groups": 5},
        {"groups": {"staff": True}},
        {"groups": [None, 7, {"a": "staff"}]},
        {"email": ["a@example.com"]},
        {"given_name": {"a": 1}, "family_name": 5},
    ],
)
async def test_claims_of_odd_kinds_give_no_role(provider: oauth.Provider, claims: dict[str, Any]) -> None:
    provider.profile |= claims
    mapping = json.dumps({"staff": "4c4f3b0a-5d0e-4a53-9f3d-0f4f0a7f6a01"})
    profile = await through(connect(provider.url, ROLE_MAPPING=mapping), provider)
    assert (profile.identifier, profile.role) == ("1", None)


async def test_another_state_or_an_error_ends_it(provider: oauth.Provider) -> None:
    for asking in (plain(provider.url), connect(provider.url)):
        for changes in ({"state": "x"}, {"state": ""}, {"code": ""}):
            with pytest.raises(InvalidCredentials):
                await through(asking, provider, **changes)
        with pytest.raises(NotGranted):
            await through(asking, provider, error="access_denied")
        with pytest.raises(NotGranted):
            await through(asking, provider, code="of somebody else")


async def test_a_provider_that_is_not_there() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ServiceUnavailable):
        await connect(nowhere).start(BACK, prompt=False)
    asking = plain(nowhere)
    begun = await asking.start(BACK, prompt=False)
    state = asking.challenge(begun.verifier)
    with pytest.raises(ServiceUnavailable):
        await asking.finish(BACK, begun.verifier, {"code": "x", "state": state})
    with pytest.raises(ServiceUnavailable):
        await asking.refresh("rt")


async def test_an_address_as_identifier_has_to_be_verified(provider: oauth.Provider) -> None:
    provider.profile["email_verified"] = False
    verified = {"REQUIRE_VERIFIED_EMAIL": "true"}
    assert not (await through(connect(provider.url, **verified), provider)).verified
    with pytest.raises(InvalidCredentials):
        await through(connect(provider.url, IDENTIFIER_KEY="email", **verified), provider)


# --- LDAP


@contextmanager
def answering(with_what: bytes | None) -> Iterator[str]:
    """A server that answers everything alike; None for never."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(65_536):
                if with_what is not None:
                    self.request.sendall(with_what)
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"ldap://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(10)


def directory(url: str) -> Directory:
    found = client("ldap", CLIENT_URL=url, USER_DN="ou=users,dc=example", GROUP_DN="ou=groups,dc=example")
    assert isinstance(found, Directory)
    return found


@pytest.mark.parametrize(
    "answer", [None, b"", b"x" * 100, b"\x30\x84\xff\xff\xff\xff", b"HTTP/1.1 400\r\n\r\n"]
)
async def test_a_directory_that_talks_nonsense(monkeypatch: pytest.MonkeyPatch, answer: bytes | None) -> None:
    monkeypatch.setattr(ldap_module, "TIMEOUT_SECONDS", 1)
    with answering(answer) as url, pytest.raises(ServiceUnavailable):
        await directory(url).authenticate("ann", "password")


async def test_what_is_typed_is_no_part_of_a_filter_or_name() -> None:
    ann, other = "cn=ann,ou=users,dc=example", "cn=a*,ou=users,dc=example"
    with ldap.directory() as tree:
        tree.entries = {ann: {"cn": ["ann"]}, other: {"cn": ["a*"]}}
        tree.passwords = {ann: "of ann", other: "of other"}
        asking = directory(tree.url)
        assert (await asking.authenticate("a*", "of other")).dn == other
        for name in (
            "*",
            "an*",
            "ann)(cn=*",
            "*)(|(cn=*",
            "ann)(&",
            "\\61nn",
            "ann,ou=users",
            "",
            "ann\0",
            "\udcff",
        ):
            with pytest.raises(ActaError) as refused:
                await asking.authenticate(name, "of ann")
            assert isinstance(refused.value, InvalidCredentials), name
        # Without a password the server lets anybody in, as nobody.
        with pytest.raises(InvalidCredentials):
            await asking.authenticate("ann", "")


# --- SAML

ACS = f"{BASE}/auth/login/x/acs"


def federated(idp: saml.IdentityProvider) -> SamlClient:
    found = client("saml", IDP_METADATA=idp.metadata)
    assert isinstance(found, SamlClient)
    return found


def changed(message: str, *changes: tuple[str, str]) -> str:
    text = base64.b64decode(message).decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return base64.b64encode(text.encode()).decode()


async def test_forged_assertions() -> None:
    idp = saml.IdentityProvider()
    asking = federated(idp)
    good = idp.answer(ACS, f"{BASE}/auth/login/x/metadata", "Sam", "sam@example.com")
    assert (await asking.accept({"SAMLResponse": good})).profile.identifier == "sam"
    text = base64.b64decode(good).decode()
    signature = text[text.index("<ds:Signature") : text.index("</ds:Signature>") + len("</ds:Signature>")]
    bare = text.replace(signature, "")
    evil = bare.replace(">Sam<", ">Admin<").replace('ID="_', 'ID="_e')
    inner = text[text.index("<samlp:Response") :]
    assertion = evil[evil.index("<saml:Assertion") : evil.index("</samlp:Response>")]
    entity = '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
    laughs = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    forged = {
        "another name": changed(good, (">Sam<", ">Admin<")),
        "no signature": changed(good, (signature, "")),
        "a comment in the name": changed(good, (">Sam<", ">Admin<!-- -->Sam<")),
        "a second assertion": changed(good, ("</samlp:Response>", f"{assertion}</samlp:Response>")),
        "one before": changed(good, ("<saml:Assertion", f"{assertion}<saml:Assertion")),
        "the signed one inside": base64.b64encode(
            evil.replace(
                "<samlp:Status>", f"<samlp:Extensions>{inner}</samlp:Extensions><samlp:Status>"
            ).encode()
        ).decode(),
        "its signature around another": base64.b64encode(
            evil.replace("<samlp:Status>", f"{signature}<samlp:Status>").encode()
        ).decode(),
        "an entity": base64.b64encode(f"{entity}{inner}".replace(">Sam<", ">&e;<").encode()).decode(),
        "entities": base64.b64encode(f"{laughs}{inner}".replace(">Sam<", ">&b;<").encode()).decode(),
        "no xml": base64.b64encode(b"\0\xff").decode(),
        "nothing": "",
    }
    for what, message in forged.items():
        with pytest.raises(ActaError) as refused:
            await asking.accept({"SAMLResponse": message})
        assert isinstance(refused.value, InvalidCredentials), what
    with pytest.raises(InvalidCredentials):
        await asking.accept({})
