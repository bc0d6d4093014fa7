"""Access tokens: JSON web tokens signed with the secret. Others are kept as digests."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from domain.errors import InvalidToken, TokenExpired

ISSUER = "directus"
ALGORITHM = "HS256"
# Those an HMAC secret may verify: never "none", never a public key algorithm.
ACCEPTED = ["HS256", "HS384", "HS512"]
NANOID_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Signer:
    """Makes and checks the tokens of this project."""

    secret: str

    def sign(self, claims: Mapping[str, Any], seconds: float) -> str:
        """A token with these claims that is valid for so long."""
        now = int(time.time())
        payload = {**claims, "iat": now, "exp": now + int(seconds), "iss": ISSUER}
        return jwt.encode(payload, self.secret, algorithm=ALGORITHM)

    def read(self, token: str) -> dict[str, Any]:
        """The claims of a token of ours.

        Raises:
            InvalidToken: signed by somebody else, malformed, or without an end.
            TokenExpired: past its time.
        """
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self.secret, algorithms=ACCEPTED, issuer=ISSUER, options={"require": ["exp"]}
            )
        except jwt.ExpiredSignatureError:
            raise TokenExpired() from None
        except (jwt.PyJWTError, RecursionError):
            raise InvalidToken() from None
        return claims


def claims_to_be_ours(token: str) -> bool:
    """Whether a token is a JWT that names us as its issuer; nothing is verified here."""
    parts = token.split(".")
    if len(parts) != 3:
        return False
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = json.loads(base64.urlsafe_b64decode(padded))
    except (ValueError, RecursionError):
        return False
    return isinstance(claims, dict) and claims.get("iss") == ISSUER


def random_token(length: int = NANOID_LENGTH) -> str:
    """An unguessable token of URL-safe characters."""
    return secrets.token_urlsafe(length)[:length]
