"""What is sent to PostgreSQL: one text, and the operands that are bound to its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from domain.access.caller import Caller
from domain.errors import InvalidQuery
from domain.query import dynamic
from domain.query.operands import Dynamic, KeyPart, Operand, Value, Values

Bound = bytes | None
Shape = Literal["rows", "item", "whole"]
"""What a statement's rows are: the items of a list, one item, or one row with the whole envelope."""
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Statement:
    """A compiled plan. ``version`` is the model's: what was prepared for another one is not used again.

    ``fixed`` are the parameters of a statement without dynamic operands, else None.
    """

    text: bytes
    operands: tuple[Operand, ...]
    version: int
    fixed: tuple[Bound, ...] | None
    shape: Shape

    def parameters(self, caller: Caller, key: Sequence[str] = ()) -> Sequence[Bound]:
        """The parameters of one run; ``key`` are the parts of the key that the plan leaves open."""
        if self.fixed is not None:
            return self.fixed
        now: datetime | None = None
        bound_values: list[Bound] = []
        for operand in self.operands:
            if isinstance(operand, KeyPart):
                bound_values.append(encoded(key[operand.index]))
            else:
                now = now or datetime.now(UTC)
                bound_values.append(bound(operand, caller, now))
        return bound_values


def statement(text: bytes, operands: Sequence[Operand], version: int, shape: Shape) -> Statement:
    """A statement; operands that nothing can change are bound at once."""
    fixed = None
    if not any(isinstance(operand, (Dynamic, KeyPart)) for operand in operands):
        fixed = tuple(bound(operand, Caller(), _NEVER) for operand in operands)
    return Statement(text, tuple(operands), version, fixed, shape)


def envelope(shape: Shape, values: Sequence[bytes | None]) -> bytes | None:
    """The answer's bytes around the values of its rows; None when there is no item."""
    if shape == "rows":
        return listed(b'{"data":[', values, b"]}")
    if not values:
        return None
    value = values[0] or b"null"
    return value if shape == "whole" else b'{"data":' + value + b"}"


def listed(head: bytes, values: Sequence[bytes | None], tail: bytes) -> bytes:
    """The values of rows as the elements of a list between two texts; large ones are copied only once."""
    found = [b"null" if value is None else value for value in values]
    if not found:
        return head + tail
    found[0] = head + found[0]
    found[-1] += tail
    return b",".join(found)


def bound(operand: Operand, caller: Caller, now: datetime) -> Bound:
    """An operand as PostgreSQL's text of it."""
    if isinstance(operand, Value):
        return None if operand.text is None else encoded(operand.text)
    if isinstance(operand, Values):
        return array(operand.texts)
    if isinstance(operand, Dynamic):
        value = dynamic.value(operand, caller, now)
        if isinstance(value, tuple):
            return array(value)
        return None if value is None else value.encode()
    raise TypeError(operand)


def array(texts: Sequence[str | None]) -> bytes:
    """An array literal."""
    return encoded("{" + ",".join("NULL" if text is None else _quoted(text) for text in texts) + "}")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def encoded(text: str) -> bytes:
    """Text for the server. Raises InvalidQuery for half of a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidQuery("Invalid text: it is not Unicode") from None
