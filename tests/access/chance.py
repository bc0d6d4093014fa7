"""Random policies and random queries for the access oracle."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.access.world import COLUMNS, OWN, OWNERS, STEPS

ALIASES = dict.fromkeys(place for place, step in STEPS.items() if step.many)
FIELDS: Mapping[str, tuple[str, ...]] = {
    name: (*columns, *(alias for owner, alias in ALIASES if owner == name))
    for name, columns in COLUMNS.items()
}
_USER = ("$CURRENT_USER",)
_TEXTS = ("$CURRENT_USER.title", "$CURRENT_USER.role.name", "$CURRENT_ROLE.name")
_LISTS = ("$CURRENT_ROLES.name", "$CURRENT_POLICIES.name")


@dataclass
class Filters:
    """Random filters. ``stored`` ones are rules, which may look up what the caller may not read."""

    chance: random.Random
    stored: bool = False
    joins: bool = True

    def make(self, collection: str, depth: int, quantifiers: bool = True) -> dict[str, Any]:
        """A filter on a collection; below a plain path there are no quantifiers."""
        chance = self.chance
        kind = chance.random()
        steps = sorted(name for owner, name in STEPS if owner == collection)
        if depth > 0 and kind < 0.25:
            members = [self.make(collection, depth - 1, quantifiers) for _ in range(chance.randint(1, 3))]
            return {chance.choice(["_and", "_or"]): members}
        if depth > 0 and kind < 0.6 and steps:
            return self._related(collection, chance.choice(steps), depth, quantifiers)
        if kind < 0.68 and quantifiers and not self.stored:
            counted = sorted(alias for owner, alias in ALIASES if owner == collection)
            if counted:
                return {f"count({chance.choice(counted)})": self.number()}
        name = chance.choice([name for name, kind in COLUMNS[collection].items() if kind != "json"])
        return {name: self.condition(COLUMNS[collection][name])}

    def _related(self, collection: str, name: str, depth: int, quantifiers: bool) -> dict[str, Any]:
        step, chance = STEPS[collection, name], self.chance
        if step.many and quantifiers and (not self.joins or chance.random() < 0.5):
            return {name: {chance.choice(["_some", "_none"]): self.make(step.target, depth - 1)}}
        if step.many and not self.joins:
            return {"id": self.number()}
        if not step.kind and chance.random() < 0.2:
            return {name: self.number()}
        return {name: self.make(step.target, depth - 1, quantifiers=False)}

    def condition(self, kind: str) -> dict[str, Any]:
        """A condition on a column of a kind."""
        chance = self.chance
        if chance.random() < 0.2:
            return {chance.choice(["_null", "_nnull"]): chance.choice([True, False])}
        if kind == "number":
            return self.number()
        if kind == "uuid":
            values = [*map(str, OWNERS), "$CURRENT_USER"]
            if chance.random() < 0.5:
                return {chance.choice(["_eq", "_neq"]): chance.choice([values[0], values[-1]])}
            return {chance.choice(["_in", "_nin"]): chance.sample(values, 2)}
        return self.text()

    def text(self) -> dict[str, Any]:
        """A condition on a text."""
        chance = self.chance
        if self.stored and chance.random() < 0.25:
            if chance.random() < 0.4:
                return {"_in": chance.choice([list(_LISTS[:1]), [_LISTS[1], "a"], _LISTS[0]])}
            return {chance.choice(["_eq", "_neq"]): chance.choice(_TEXTS)}
        operator = chance.choice(
            ["_eq", "_neq", "_in", "_nin", "_contains", "_icontains", "_empty", "_nempty"]
        )
        if operator in ("_empty", "_nempty"):
            return {operator: chance.choice([True, False])}
        if operator in ("_in", "_nin"):
            return {operator: chance.sample(["a", "ab", "b", "1", "create"], 2)}
        return {operator: chance.choice(["a", "b", "1", "people"])}

    def number(self) -> dict[str, Any]:
        """A condition on a number."""
        chance = self.chance
        operator = chance.choice(["_eq", "_neq", "_lt", "_gte", "_in", "_nin", "_between", "_nbetween"])
        if operator in ("_in", "_nin", "_between", "_nbetween"):
            return {operator: sorted(chance.sample([0, 1, 2, 3, 5, 8], 2))}
        return {operator: chance.choice([0, 1, 2, 3, 6])}


def random_rule(chance: random.Random, collection: str, action: str) -> dict[str, Any]:
    """A permission row of a policy, as it is stored."""
    names = FIELDS[collection]
    kind = chance.random()
    fields: list[str] | None = chance.sample(names, chance.randint(1, len(names)))
    if kind < 0.35:
        fields = ["*"]
    elif kind < 0.4:
        fields = chance.choice([None, []])
    filters = Filters(chance, stored=True)
    given = None if chance.random() < 0.3 else filters.make(collection, chance.choice([0, 1, 1, 2]))
    return {"collection": collection, "action": action, "fields": fields, "permissions": given}


def random_rules(chance: random.Random) -> list[dict[str, Any]]:
    """The permission rows of one policy."""
    rules = []
    for collection in COLUMNS:
        reading = chance.choice([0, 1, 1, 2, 3])
        rules += [random_rule(chance, collection, "read") for _ in range(reading)]
        if collection in OWN:
            writing = chance.choice([0, 1, 2])
            rules += [
                random_rule(chance, collection, chance.choice(["update", "delete"])) for _ in range(writing)
            ]
    return rules


@dataclass
class Queries:
    """Random queries that mostly, but not always, keep to what is permitted (``known``)."""

    chance: random.Random
    known: Mapping[str, list[str]]

    def names(self, collection: str) -> list[str]:
        """Fields that a query may speak of."""
        known = self.known.get(collection) or []
        return list(FIELDS[collection]) if not known or self.chance.random() < 0.1 else known

    def fields(self, collection: str, depth: int) -> list[str]:
        """The ``fields`` of a query."""
        chance, found = self.chance, []
        for _ in range(chance.randint(1, 4)):
            if chance.random() < 0.1:
                found.append("*")
                continue
            name = chance.choice(self.names(collection))
            alias = (collection, name) in ALIASES
            scoped = sorted(at for owner, at in STEPS if owner == collection and at.startswith(f"{name}:"))
            if alias and chance.random() < 0.2:
                found.append(f"count({name})")
            elif depth and chance.random() < 0.7 and (scoped or (collection, name) in STEPS):
                step = chance.choice(scoped) if scoped else name
                target = STEPS[collection, step].target
                found += [f"{step}.{below}" for below in self.fields(target, depth - 1)]
            else:
                found.append(name)
        return found

    def sort(self, collection: str, depth: int = 1) -> str:
        """One sort key."""
        chance = self.chance
        names = [
            name
            for name in self.names(collection)
            if COLUMNS[collection].get(name) not in (None, "json") or depth
        ]
        plain = [
            name for name in names if name in COLUMNS[collection] and COLUMNS[collection][name] != "json"
        ]
        steps = [name for name in names if (collection, name) in STEPS]
        if steps and depth and (chance.random() < 0.3 or not plain):
            name = chance.choice(steps)
            return f"{name}.{self.sort(STEPS[collection, name].target, depth - 1)}"
        return chance.choice(plain or ["id"])

    def query(self, collection: str) -> dict[str, Any]:
        """A list's parameters."""
        chance = self.chance
        query: dict[str, Any] = {"limit": -1}
        if chance.random() < 0.85:
            query["fields"] = self.fields(collection, chance.choice([0, 1, 1, 2]))
        if chance.random() < 0.6:
            query["filter"] = self.filter(collection)
        if chance.random() < 0.15:
            query["search"] = chance.choice(["a", "b", "1", "3", "zz", "create"])
        if chance.random() < 0.5:
            descending = chance.choice(["", "-"])
            query["sort"] = [descending + self.sort(collection)]
        if chance.random() < 0.2:
            query["meta"] = "*"
        steps = [name for name in self.names(collection) if (collection, name) in ALIASES]
        if steps and chance.random() < 0.3:
            name = chance.choice(steps)
            query["deep"] = {name: {"_filter": self.filter(STEPS[collection, name].target)}}
        return query

    def filter(self, collection: str, *, joins: bool = True) -> dict[str, Any]:
        """A filter; tried a few times so that most name nothing forbidden."""
        filters = Filters(self.chance, joins=joins)
        for _ in range(6):
            found = filters.make(collection, self.chance.choice([0, 1, 1, 2, 3]))
            if self.keeps(collection, found):
                break
        return found

    def keeps(self, collection: str, filter: Mapping[str, Any]) -> bool:
        """Whether a filter names only what is known."""
        known = self.known.get(collection) or []
        for name, value in filter.items():
            if name in ("_and", "_or"):
                if not all(self.keeps(collection, member) for member in value):
                    return False
                continue
            if name.removeprefix("count(").removesuffix(")").partition(":")[0] not in known:
                return False
            step = STEPS.get((collection, name))
            if step is not None and not self.keeps(
                step.target, value.get("_some") or value.get("_none") or _plain(value)
            ):
                return False
        return True


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: entry for key, entry in value.items() if not key.startswith("_") or key in ("_and", "_or")}
