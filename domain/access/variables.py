"""Dynamic variables inside permission rules: which values a rule needs, and the rule with them put in.

``$CURRENT_USER``, ``$CURRENT_ROLE``, ``$CURRENT_ROLES`` and ``$CURRENT_POLICIES``, also with a path
behind a dot (``$CURRENT_USER.team.name``). Those without a path stay as they are, so that callers with the
same policies share rules and plans, and so does ``$NOW``: their values are put in when the rule is used. The
texts ``true``, ``false`` and ``null`` become what they say. Other texts are themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from domain.access.caller import Caller

VARIABLE = re.compile(r"\$(CURRENT_USER|CURRENT_ROLES|CURRENT_ROLE|CURRENT_POLICIES)(?:\.([\w.]+))?")
_LISTS = frozenset({"_in", "_nin", "_between", "_nbetween"})
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None, "NULL": None}

Paths = Mapping[str, frozenset[str]]
Values = Mapping[tuple[str, str], Any]


def paths_of(*rules: Any) -> Paths:
    """Per variable the paths that rules look up (without those that need no look-up)."""
    found: dict[str, set[str]] = {}
    for text in _texts(list(rules)):
        match = VARIABLE.fullmatch(text)
        if match and match[2]:
            found.setdefault(match[1], set()).add(match[2])
    return {name: frozenset(paths) for name, paths in found.items()}


def put_in(rule: Any, values: Values, *, keep: bool = False) -> Any:
    """The rule with the variables' values; lists open up inside operators that take lists.

    ``values`` maps (variable, path) to a value, the path being empty for the variable itself; what is not
    there is null, or with ``keep`` stays a variable.
    """
    if isinstance(rule, Mapping):
        found = {name: put_in(value, values, keep=keep) for name, value in rule.items()}
        return {name: _flat(value) if name in _LISTS else value for name, value in found.items()}
    if isinstance(rule, list):
        return [put_in(entry, values, keep=keep) for entry in rule]
    if isinstance(rule, str):
        return _value(rule, values, keep)
    return rule


def plain_values(caller: Caller) -> Values:
    """The values of a caller's variables without a path."""
    return {
        ("CURRENT_USER", ""): None if caller.user is None else str(caller.user),
        ("CURRENT_ROLE", ""): None if caller.role is None else str(caller.role),
        ("CURRENT_ROLES", ""): [str(role) for role in caller.roles],
        ("CURRENT_POLICIES", ""): [str(policy) for policy in caller.policies],
    }


def _value(text: str, values: Values, keep: bool) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    match = VARIABLE.fullmatch(text)
    return values.get((match[1], match[2] or ""), text if keep else None) if match else text


def _flat(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [member for entry in value for member in (entry if isinstance(entry, list) else [entry])]


def _texts(value: Any) -> Iterator[str]:
    pending = [value]
    while pending:
        entry = pending.pop()
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, Mapping):
            pending.extend(entry.values())
        elif isinstance(entry, list):
            pending.extend(entry)
