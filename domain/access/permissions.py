"""From stored permission rows to `Rights`: looked-up values put in, rules grouped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

from domain.access.caller import Caller
from domain.access.rights import Action, Rights, Rule
from domain.access.variables import Values, plain_values, put_in

ACTIONS: tuple[Action, ...] = ("create", "read", "update", "delete", "share")

Row = Mapping[str, Any]


def field_names(stored: Any) -> list[str]:
    """The fields of a permission row, stored as a comma-separated text or given as a list."""
    if not stored:
        return []
    return [name for name in (stored.split(",") if isinstance(stored, str) else stored) if name]


def rights_of(rows: Iterable[Row], values: Values) -> Rights:
    """The rights that permission rows give, in the order of the rows (later presets win).

    ``values`` are those of variables with a path; others stay variables.
    """
    rules: dict[tuple[str, Action], list[Rule]] = {}
    for row in rows:
        if row["action"] in ACTIONS:
            place = (str(row["collection"]), cast("Action", row["action"]))
            rules.setdefault(place, []).append(_rule(row, values))
    frozen = {place: tuple(found) for place, found in rules.items()}
    return Rights(key=_fingerprint(frozen), rules=frozen)


def bound_to(rights: Rights, caller: Caller) -> Rights:
    """The rights with one caller's values for all variables: what others get to use on his behalf."""
    values = plain_values(caller)
    rules = {
        place: tuple(
            replace(
                rule,
                filter=put_in(rule.filter, values),
                validation=put_in(rule.validation, values),
                presets=put_in(rule.presets, values),
            )
            for rule in found
        )
        for place, found in rights.rules.items()
    }
    return rights if rights.admin else Rights(key=_fingerprint(rules), rules=rules)


def _rule(row: Row, values: Values) -> Rule:
    names = field_names(row["fields"])
    return Rule(
        fields=None if "*" in names else frozenset(names),
        filter=put_in(row["permissions"], values, keep=True) or None,
        validation=put_in(row["validation"], values, keep=True) or None,
        presets=put_in(row["presets"], values, keep=True) or None,
    )


def _fingerprint(rules: Mapping[tuple[str, Action], tuple[Rule, ...]]) -> str:
    # Callers with equal rules share plans, whoever they are.
    plain = [
        [
            *place,
            [
                [
                    None if rule.fields is None else sorted(rule.fields),
                    rule.filter,
                    rule.validation,
                    rule.presets,
                ]
                for rule in found
            ],
        ]
        for place, found in sorted(rules.items())
    ]
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()
