"""Operands of a plan: what a statement is run with. They never become part of its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from domain.query.plan import Expression, Row


@dataclass(frozen=True, slots=True)
class Value:
    """One operand, as text that PostgreSQL reads as the type it is compared with; None is NULL."""

    text: str | None


@dataclass(frozen=True, slots=True)
class Values:
    """A list operand, bound as one array."""

    texts: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Dynamic:
    """An operand known only when the statement runs: ``now`` shifted, or something of the caller."""

    name: Literal["now", "user", "role", "roles", "policies"]
    shift: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class LookedUp:
    """Values from the rows of the caller: ``expression`` on ``row`` where ``key`` is one of ``owner``'s."""

    row: Row
    key: Expression
    owner: Dynamic
    expression: Expression


@dataclass(frozen=True, slots=True)
class KeyPart:
    """One column's part of the key that a request names, so that all keys share a plan."""

    index: int


Operand = Value | Values | Dynamic | LookedUp | KeyPart
