"""A scripted SAML identity provider: its metadata, and signed answers."""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from onelogin.saml2.utils import OneLogin_Saml2_Utils

ENTITY = "https://idp.example.com/metadata"
CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"


class IdentityProvider:
    """One with a key of its own."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(key, SHA256())
        )
        self.key = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
        self.certificate = certificate.public_bytes(Encoding.PEM).decode()

    @property
    def metadata(self) -> str:
        """What we have to know of it."""
        lines = "".join(self.certificate.splitlines()[1:-1])
        return (
            f'<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{ENTITY}">'
            '<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
            '<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data>'
            f"<X509Certificate>{lines}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
            "<SingleSignOnService"
            ' Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/sso"/>'
            "</IDPSSODescriptor></EntityDescriptor>"
        )

    def answer(
        self, acs: str, audience: str, name: str, email: str, *, age: int = 0, signed: bool = True
    ) -> str:
        """An answer for the form that a browser sends, ``age`` seconds old."""
        now = datetime.now(UTC) - timedelta(seconds=age)
        before, after = (_moment(now + timedelta(seconds=seconds)) for seconds in (-60, 120))
        assertion = f"_{uuid.uuid4().hex}"
        text = (
            '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"'
            ' xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
            f' ID="_{uuid.uuid4().hex}" Version="2.0" IssueInstant="{_moment(now)}" Destination="{acs}">'
            f"<saml:Issuer>{ENTITY}</saml:Issuer><samlp:Status><samlp:StatusCode"
            ' Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>'
            f'<saml:Assertion ID="{assertion}" Version="2.0" IssueInstant="{_moment(now)}">'
            f"<saml:Issuer>{ENTITY}</saml:Issuer><saml:Subject><saml:NameID>{name}</saml:NameID>"
            '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
            f'<saml:SubjectConfirmationData NotOnOrAfter="{after}" Recipient="{acs}"/>'
            "</saml:SubjectConfirmation></saml:Subject>"
            f'<saml:Conditions NotBefore="{before}" NotOnOrAfter="{after}"><saml:AudienceRestriction>'
            f"<saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
            f'<saml:AuthnStatement AuthnInstant="{_moment(now)}"><saml:AuthnContext>'
            "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
            "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
            f'<saml:AttributeStatement><saml:Attribute Name="{CLAIMS}emailaddress">'
            f"<saml:AttributeValue>{email}</saml:AttributeValue></saml:Attribute>"
            f'<saml:Attribute Name="{CLAIMS}givenname"><saml:AttributeValue>Sam</saml:AttributeValue>'
            "</saml:Attribute></saml:AttributeStatement></saml:Assertion></samlp:Response>"
        )
        if signed:
            made = OneLogin_Saml2_Utils.add_sign(text, self.key, self.certificate)
            text = made.decode() if isinstance(made, bytes) else made
        return base64.b64encode(text.encode()).decode()


def _moment(value: datetime) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")
