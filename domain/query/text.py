"""Query strings to raw parameters: ``filter[a][_eq]=1``, ``fields[]=a``, ``fields[0]=a``, repeated keys.

The rules are those of the notation that the contract's clients write: brackets nest up to a limit and are
one literal key beyond it; lists hold up to a limit of elements and are objects keyed by index beyond it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

MAX_PARAMETERS = 10_000


class _Branch(dict[str, Any]):
    """An object under construction; entries written ``[]`` get the next free index."""

    def append(self, value: Any) -> None:
        index = len(self)
        while str(index) in self:
            index += 1
        self[str(index)] = value


def parse_text(text: str, *, brackets: int = 10, elements: int = 500) -> dict[str, Any]:
    """The parameters of a query string, values being text, lists and objects of text."""
    root = _Branch()
    pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=None, errors="replace")
    for name, value in pairs[:MAX_PARAMETERS]:
        if name:
            _insert(root, _steps(name, brackets), value)
    return {name: _finished(value, elements) for name, value in root.items()}


def _steps(name: str, brackets: int) -> list[str]:
    """``a[b][c]`` as its steps; unbalanced brackets are part of the name."""
    start = name.find("[")
    if start <= 0:
        return [name]
    steps, rest = [name[:start]], name[start:]
    while rest.startswith("[") and len(steps) <= brackets:
        end = rest.find("]")
        if end < 0:
            break
        steps.append(rest[1:end])
        rest = rest[end + 1 :]
    if rest.startswith("["):
        steps.append(rest)
    return steps


def _insert(branch: _Branch, steps: list[str], value: str) -> None:
    for step in steps[:-1]:
        child = branch.get(step) if step else None
        if not isinstance(child, _Branch):
            grown = _Branch()
            if child is not None:
                grown.append(child)
            if step:
                branch[step] = grown
            else:
                branch.append(grown)
            child = grown
        branch = child
    last = steps[-1]
    if last == "":
        branch.append(value)
    elif last in branch:
        present = branch[last]
        if isinstance(present, _Branch):
            present.append(value)
        else:
            both = _Branch()
            both.append(present)
            both.append(value)
            branch[last] = both
    else:
        branch[last] = value


def _finished(value: Any, elements: int) -> Any:
    if not isinstance(value, _Branch):
        return value
    entries = {name: _finished(entry, elements) for name, entry in value.items()}
    if len(entries) <= elements and all(_is_index(name, elements) for name in entries):
        return [entries[name] for name in sorted(entries, key=int)]
    return entries


def _is_index(name: str, elements: int) -> bool:
    # Python refuses to read numbers of thousands of digits.
    return name.isdecimal() and len(name) < 20 and int(name) <= elements
