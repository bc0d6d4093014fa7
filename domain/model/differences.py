"""Differences of JSON values as lists of changes, and changes put into a value.

A change is ``{"kind": "N", "rhs"}`` (new), ``{"kind": "D", "lhs"}`` (deleted),
``{"kind": "E", "lhs", "rhs"}`` (edited) or ``{"kind": "A", "index", "item": change}`` (an element).
Each has a ``path`` unless it is about the whole. The format is deep-diff's, which snapshots are exchanged in.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

Change = dict[str, Any]
Step = str | int

MISSING: Any = object()
"""A value that is not there, unlike one that is null."""


def differences(lhs: Any, rhs: Any) -> list[Change]:
    """What turns ``lhs`` into ``rhs``."""
    return list(_differences(lhs, rhs, ()))


def _differences(lhs: Any, rhs: Any, path: tuple[Step, ...]) -> Iterator[Change]:
    if lhs is MISSING and rhs is MISSING:
        return
    if lhs is MISSING:
        yield _change("N", path, rhs=rhs)
    elif rhs is MISSING:
        yield _change("D", path, lhs=lhs)
    elif isinstance(lhs, list) and isinstance(rhs, list):
        yield from _of_arrays(lhs, rhs, path)
    elif isinstance(lhs, Mapping) and isinstance(rhs, Mapping):
        for name in (*lhs, *(one for one in rhs if one not in lhs)):
            yield from _differences(lhs.get(name, MISSING), rhs.get(name, MISSING), (*path, name))
    elif not _equal(lhs, rhs):
        yield _change("E", path, lhs=lhs, rhs=rhs)


def _of_arrays(lhs: list[Any], rhs: list[Any], path: tuple[Step, ...]) -> Iterator[Change]:
    # From the end, so that applying one by one never moves an index that is still to come.
    for index in range(len(rhs) - 1, len(lhs) - 1, -1):
        yield _change("A", path, index=index, item={"kind": "N", "rhs": rhs[index]})
    for index in range(len(lhs) - 1, len(rhs) - 1, -1):
        yield _change("A", path, index=index, item={"kind": "D", "lhs": lhs[index]})
    for index in range(min(len(lhs), len(rhs)) - 1, -1, -1):
        yield from _differences(lhs[index], rhs[index], (*path, index))


def _change(kind: str, path: tuple[Step, ...], **members: Any) -> Change:
    return {"kind": kind, **({"path": list(path)} if path else {}), **members}


def _equal(lhs: Any, rhs: Any) -> bool:
    # True and 1 are the same to Python, not to JSON.
    return isinstance(lhs, bool) == isinstance(rhs, bool) and bool(lhs == rhs)


def applied(value: Any, changes: list[Change]) -> Any:
    """The value with the changes made; the value itself stays as it is.

    Raises:
        LookupError: for a path that leads nowhere.
        TypeError: for a path through something that has no members.
    """
    holder: dict[str, Any] = {"whole": copy.deepcopy(value)}
    for change in sorted(changes, key=_rank):
        _apply(holder, change)
    return holder.get("whole")


def _rank(change: Change) -> tuple[int, int]:
    """Elements are taken out of arrays from the end, edited, and put in from the front, in this order."""
    if change["kind"] != "A":
        return 1, 0
    index = int(change["index"])
    return (0, -index) if change["item"]["kind"] == "D" else (2, index)


def _apply(holder: dict[str, Any], change: Change) -> None:
    path: list[Step] = ["whole", *change.get("path", [])]
    target: Any = holder
    for step in path[:-1]:
        if isinstance(target, dict) and step not in target:
            target[step] = {}
        target = target[step]
    last, kind = path[-1], change["kind"]
    if kind == "A":
        _apply_to_array(target[last], change["index"], change["item"])
    elif kind == "D":
        target.pop(last, None)
    else:
        target[last] = change["rhs"]


def _apply_to_array(elements: list[Any], index: int, change: Change) -> None:
    if change["kind"] == "D":
        del elements[index]
    elif index < len(elements):
        elements[index] = change["rhs"]
    else:
        elements.append(change["rhs"])
