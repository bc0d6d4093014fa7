"""Checkpoints: what stood at the end of the chain, signed with Ed25519, to be kept outside by an auditor.

A checkpoint is a JSON object; its signature is over the same object without ``signature``, members sorted, in
the compact form that `signed_text` makes. Whoever has the public key can prove that a log which is shown to
him later goes on from where this one was.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from domain.errors import InvalidPayload
from projections.log.verify import Anchor

FORMAT: Final = "acta.checkpoint/1"
ROOT_BYTES: Final = 32


def new_key() -> bytes:
    """A new private key, as PEM."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_key(private: bytes) -> str:
    """The public key that goes with a private one, as text.

    Raises:
        InvalidPayload: when it is no Ed25519 key in PEM.
    """
    raw = _private(private).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b64encode(raw).decode()


def checkpoint(position: int, root: bytes, private: bytes) -> dict[str, Any]:
    """The signed checkpoint of a position."""
    content = {
        "format": FORMAT,
        "position": position,
        "root": root.hex(),
        "at": datetime.now(UTC).isoformat(),
        "key": public_key(private),
    }
    signature = _private(private).sign(signed_text(content))
    return {**content, "signature": base64.b64encode(signature).decode()}


def signed_text(content: Mapping[str, Any]) -> bytes:
    """What a signature is over."""
    kept = {name: value for name, value in content.items() if name != "signature"}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)


def anchor_of(document: Any, key: str | None) -> Anchor:
    """What a checkpoint says, once its signature is proved; ``key`` is the public key it has to be by.

    Raises:
        InvalidPayload: when it is no checkpoint, or not signed by that key.
    """
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise InvalidPayload("That is no checkpoint")
    if key is not None and document.get("key") != key:
        raise InvalidPayload("The checkpoint is signed by another key")
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(document["key"], validate=True))
        public.verify(base64.b64decode(document["signature"], validate=True), signed_text(document))
        anchor = Anchor(int(document["position"]), bytes.fromhex(document["root"]))
    except (InvalidSignature, KeyError, TypeError, ValueError):
        raise InvalidPayload("The signature of the checkpoint is not valid") from None
    return anchor


def _private(pem: bytes) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        raise InvalidPayload("That is no private key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidPayload("That is no Ed25519 key")
    return key
