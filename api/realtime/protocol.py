"""Frames and messages of the JSON socket: one object each, in the shapes of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from domain.errors import ActaError, ErrorGroup, InvalidPayload

Message = dict[str, Any]
MISSING: Any = object()


def message_of(text: str) -> Message:
    """The message in a text frame.

    Raises:
        InvalidPayload: when it is no JSON object with a textual type.
    """
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise InvalidPayload("The message is not valid JSON") from None
    if not isinstance(found, dict):
        raise InvalidPayload("The message is not an object")
    if not isinstance(found.get("type"), str) or not found["type"]:
        raise InvalidPayload('The message has no "type"')
    try:
        # What was sent has to be written again, too: as an answer's uid, as the key of what is kept.
        orjson.dumps(found)
    except orjson.JSONEncodeError:
        raise InvalidPayload("The message is nested too deeply") from None
    return found


def uid_of(message: Mapping[str, Any]) -> Any:
    """What the sender called the message by; `MISSING` when nothing."""
    return message.get("uid", MISSING)


def frame(kind: str, uid: Any = MISSING, **members: Any) -> bytes:
    """A frame; ``uid`` keeps its type and stands last."""
    found: dict[str, Any] = {"type": kind, **members}
    if uid is not MISSING:
        found["uid"] = uid
    return orjson.dumps(found, default=str, option=orjson.OPT_NON_STR_KEYS)


def framed(kind: str, envelope: bytes, uid: Any = MISSING, **members: Any) -> bytes:
    """A frame with the members of an answer's envelope (``data``, ``meta``), whose bytes pass unparsed."""
    head = orjson.dumps({"type": kind, **members})[:-1]
    tail = b"" if uid is MISSING else b',"uid":' + orjson.dumps(uid)
    return head + b"," + envelope[1:-1] + tail + b"}"


def failure(kind: str, error: ActaError | ErrorGroup, uid: Any = MISSING) -> bytes:
    """An error frame: of several errors, the first."""
    first = error.errors[0] if isinstance(error, ErrorGroup) else error
    return refusal(kind, first.code, first.message, uid)


def refusal(kind: str, code: str, message: str, uid: Any = MISSING) -> bytes:
    """An error frame by code and text; ``uid`` stands inside the error, and outside for `auth`."""
    error: dict[str, Any] = {"code": code, "message": message}
    return frame(kind, uid, status="error", error=error)
