"""What a caller may do, as a value: rules per collection and action, all alternatives.

Several rules for one collection and action are a union; there is no rule that denies. A missing
entry denies. Administrators carry no rules and pass everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Action = Literal["create", "read", "update", "delete", "share"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One permission record; of its dynamic variables, those with a path are already values.

    ``fields`` is None for every field (``*``). ``filter`` and ``validation`` are filter objects in
    wire form, or None for no condition; ``presets`` are values merged under a payload.
    """

    fields: frozenset[str] | None
    filter: Mapping[str, Any] | None = None
    validation: Mapping[str, Any] | None = None
    presets: Mapping[str, Any] | None = None

    def covers(self, name: str) -> bool:
        """Whether the rule speaks of this field."""
        return self.fields is None or name in self.fields


@dataclass(frozen=True, slots=True)
class Rights:
    """All rules of one caller. ``key`` is equal for callers whose plans may be shared.

    ``memory`` is where planners keep what they make of the rules.
    """

    key: str
    admin: bool = False
    rules: Mapping[tuple[str, Action], tuple[Rule, ...]] = field(default_factory=dict)
    memory: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def of(self, collection: str, action: Action) -> tuple[Rule, ...]:
        """The alternatives that permit an action on a collection; empty means denied (unless ``admin``)."""
        return self.rules.get((collection, action), ())

    def may(self, collection: str, action: Action) -> bool:
        """Whether any rule permits the action at all."""
        return self.admin or bool(self.of(collection, action))

    def shows_in_every_row(self, collection: str, name: str) -> bool:
        """Whether a field shows in each item that the caller sees, rather than in some and not in others."""
        rules = self.of(collection, "read")
        covering = [rule for rule in rules if rule.covers(name)]
        return self.admin or (
            bool(covering) and (len(covering) == len(rules) or any(not rule.filter for rule in covering))
        )

    def reading_as(self, collection: str, action: Action) -> Rights:
        """The rights with which a read shows what ``action`` may touch.

        Which fields a rule about another action names says nothing of what may be asked about its items.
        """
        return self if action == "read" else self.finding(collection, action)

    def finding(self, collection: str, action: Action) -> Rights:
        """The rights with which a read finds the items of a collection that ``action`` may touch, whichever
        fields its rules name."""
        if self.admin:
            return self
        found = tuple(replace(rule, fields=None) for rule in self.of(collection, action))
        rules = {**self.rules, (collection, "read"): found}
        return Rights(f"{self.key}/{action}/{collection}", rules=rules)


ADMINISTRATOR = Rights(key="admin", admin=True)
NOTHING = Rights(key="nothing")
