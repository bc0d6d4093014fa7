"""Statements by the shape of their plan: plans that differ in operands alone share one text.

Writing a statement costs several times what planning costs, and clients ask the same with other values. So
operands are taken out of a plan, what is left is the key of a cache, and a statement that was written for
slots has the operands of this plan put in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, TypeVar, cast

from domain.lru import Lru
from domain.query.operands import Operand, Value, Values
from domain.query.plan import ReadPlan
from projections.reading.compiler import compile_plan, compile_several
from projections.reading.statement import Statement, statement

KEPT = 16_000_000
"""Characters of all kept statements; a plan takes several times as much as its statement."""
EACH = 1000
"""What an entry counts beside its text."""
_T = TypeVar("_T")
_LEAVES = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class Slot(Value):
    """The place of an operand, counted from 0."""

    index: int = 0


@dataclass(frozen=True, slots=True)
class ListSlot(Values):
    """The place of an operand that is a list."""

    index: int = 0


class Shapes:
    """Statements of plans, written once for each shape."""

    def __init__(self) -> None:
        self._written: Lru[tuple[int, Any], Statement] = Lru(KEPT)

    def statement(self, plan: ReadPlan, version: int) -> Statement:
        """The statement of a plan made on a version of the model."""
        if plan.empty is not None:
            # The members of an empty singleton are any JSON, which can't be a key.
            return compile_plan(plan, version)
        return self._shared(plan, version, compile_plan)

    def several(self, plans: tuple[ReadPlan, ...], version: int) -> Statement:
        """The statement of several plans, one column each."""
        return self._shared(plans, version, compile_several)

    def _shared(self, plan: _T, version: int, write: Callable[[_T, int], Statement]) -> Statement:
        # Equal operands share a slot: an expression that holds one may be looked for where it stands again.
        found: dict[Operand, int] = {}
        shape = _emptied(plan, found)
        given = list(found)
        key = (version, shape)
        written = self._written.get(key)
        if written is None:
            written = write(shape, version)
            self._written.put(key, written, EACH + len(written.text))
        operands = [
            given[operand.index] if isinstance(operand, Slot | ListSlot) else operand
            for operand in written.operands
        ]
        return statement(written.text, operands, version, written.shape)


def _emptied(node: _T, found: dict[Operand, int]) -> _T:
    """The node with slots for its operands, which are numbered in ``found``."""
    kind: type = type(node)
    if kind in _LEAVES:
        return node
    if kind is Value:
        return cast("_T", Slot("", found.setdefault(cast("Operand", node), len(found))))
    if kind is Values:
        return cast("_T", ListSlot((), found.setdefault(cast("Operand", node), len(found))))
    if kind is tuple:
        members = cast("tuple[Any, ...]", node)
        emptied = tuple([_emptied(member, found) for member in members])
        same = all(one is other for one, other in zip(emptied, members, strict=True))
        return node if same else cast("_T", emptied)
    changed: dict[str, Any] = {}
    for name in _names(kind):
        value = getattr(node, name)
        if (emptied_value := _emptied(value, found)) is not value:
            changed[name] = emptied_value
    return cast("_T", replace(cast("Any", node), **changed)) if changed else node


@cache
def _names(kind: type) -> tuple[str, ...]:
    """The fields of a kind of node that operands may stand below."""
    return tuple(field.name for field in fields(kind) if field.type not in _PLAIN)


_PLAIN = ("str", "str | None", "int", "bool", "Row", "tuple[str, ...]", "tuple[tuple[str, float], ...]")
