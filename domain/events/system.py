"""What happens to the log itself and to people's sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from domain.events.base import Event, Values


@dataclass(frozen=True, kw_only=True)
class LogRedacted(Event):
    """Values were erased from an event for good; its digests before keep the hash chain verifiable.

    Attributes:
        seq: The event they were erased from.
        fields: The names of the erased values, in payload and in ``meta.submitted``.
        payload_before: SHA-256 of the payload's text as it was sealed, hexadecimal; None where it was null.
        payload_after: The same as it is now.
        meta_before: SHA-256 of the meta's text as it was sealed; None where it was null.
        meta_after: The same as it is now.
    """

    TOPIC: ClassVar[str] = "log.redacted"

    seq: int
    fields: Sequence[str]
    payload_before: str | None
    payload_after: str | None
    meta_before: str | None
    meta_after: str | None


@dataclass(frozen=True, kw_only=True)
class FlowRan(Event):
    """A flow was run to its end.

    Attributes:
        record: ``steps`` (operation, key, status, options) and ``data`` (the data chain), without secrets;
            None where the flow is not to be written down.
    """

    TOPIC: ClassVar[str] = "flow.run"
    WHOLE: ClassVar[str] = "record"

    record: Values | None


@dataclass(frozen=True, kw_only=True)
class UserLoggedIn(Event):
    """A user proved who they are and got a session or tokens."""

    TOPIC: ClassVar[str] = "user.login"


@dataclass(frozen=True, kw_only=True)
class UserLoggedOut(Event):
    """A user ended a session."""

    TOPIC: ClassVar[str] = "user.logout"


@dataclass(frozen=True, kw_only=True)
class PastActivity(Event):
    """What another system noted of an item before Acta took its database over; it has no position.

    State is never made from it. ``meta.action`` says what was done.

    Attributes:
        revision: ``data`` and ``delta`` of the revision as they were noted; None without one.
    """

    TOPIC: ClassVar[str] = "past.activity"
    WHOLE: ClassVar[str] = "revision"

    revision: Values | None = None
