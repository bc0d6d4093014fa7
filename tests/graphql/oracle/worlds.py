"""Random models with random rows: what the equality test of GraphQL asks about."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.worlds import World

Row = dict[str, Any]

KEY, RANK = "id", "rank"
ROWS = 12
_UUIDS = [f"aaaaaaaa-0000-4000-8000-{number:012d}" for number in range(1, 9)]
VALUES: Mapping[str, Sequence[Any]] = {
    "string": ["", "a", "ab", "b", "abc", "c d", 'quo"te', "back\\slash", "üß", "1"],
    "text": ["", "a\nb", "long " * 20, "ab"],
    "integer": [0, 1, 2, 3, 5, 20],
    "bigInteger": [0, 1, 7, 2**53 + 1, -(2**60)],
    "float": [0.0, 1.5, 2.25, -3.5],
    "decimal": [0.0, 1.25, 9.5, 1000.125],
    "boolean": [True, False],
    "date": ["2023-12-31", "2024-01-05", "2024-02-29", "2019-06-15"],
    "dateTime": ["2024-01-05T10:20:30", "2023-01-01T00:00:00", "2020-02-29T23:59:59"],
    "timestamp": ["2024-01-05T10:20:30.123Z", "2023-01-01T00:00:00.000Z", "2020-12-31T23:59:59.999Z"],
    "time": ["10:20:30", "00:00:00", "23:59:59"],
    "json": [[1, 2], [], ["a", {"b": None}], [[3]]],
    "csv": [["x", "y"], ["z"]],
    "uuid": _UUIDS,
}
"""Values in the form in which they are both written and answered, number types aside."""


@dataclass(frozen=True)
class Step:
    """A relation's field: the collection it leads to, and which columns meet.

    ``which`` is the column that names the collection of a many-to-any item, which has ``targets`` instead.
    """

    target: str
    here: str
    there: str
    many: bool = False
    which: str = ""
    targets: tuple[str, ...] = ()


@dataclass
class Made:
    """A world, what its relations are, and its rows."""

    world: World
    steps: dict[tuple[str, str], Step] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def kinds(self, collection: str) -> dict[str, str]:
        """The wire types of a collection's columns."""
        found = self.world.collections[collection].fields
        return {name: one.type for name, one in found.items() if not one.alias}

    def linked(self, collection: str, row: Row | None, name: str) -> list[tuple[str, Row]]:
        """The rows that a relation leads to, each with its collection."""
        step = self.steps[collection, name]
        if row is None or row[step.here] is None:
            return []
        target = row[step.which] if step.which else step.target
        if step.which and target not in step.targets:
            return []
        return [
            (target, other) for other in self.rows[target] if str(other[step.there]) == str(row[step.here])
        ]


def random_world(chance: random.Random) -> Made:
    """Collections of random columns with relations of every kind between them, and rows."""
    made = Made(World())
    names = [f"c{number}" for number in range(chance.randint(2, 4))]
    for place, name in enumerate(names):
        fields: dict[str, str | tuple[str, ...]] = {
            KEY: chance.choice(["integer", "integer", "string", "uuid"]),
            f"{RANK}{place}": "integer",
        }
        for number in range(chance.randint(2, 6)):
            kind = chance.choice(list(VALUES))
            fields[f"f{place}_{number}"] = ("csv", "cast-csv") if kind == "csv" else kind
        made.world.collection(name, fields)
    for number in range(chance.randint(1, 4)):
        _many_to_one(made, chance, number, chance.choice(names), chance.choice(names))
    if chance.random() < 0.7:
        _many_to_many(made, chance.choice(names), chance.choice(names))
    if chance.random() < 0.7:
        _many_to_any(made, chance.choice(names), chance.sample(names, chance.randint(1, len(names))))
    _fill(made, chance)
    return made


def _add_column(made: Made, collection: str, name: str, kind: str) -> None:
    """Add a column to a collection that is there already."""
    fields = {
        one.name: (one.type, *one.special) for one in made.world.collections[collection].fields.values()
    }
    made.world.collection(collection, {**fields, name: (kind,)})


def _key_kind(made: Made, collection: str) -> str:
    return made.kinds(collection)[KEY]


def _many_to_one(made: Made, chance: random.Random, number: int, owner: str, target: str) -> None:
    name, alias = f"one{number}", f"many{number}" if chance.random() < 0.8 else None
    _add_column(made, owner, name, _key_kind(made, target))
    made.world.m2o(owner, name, target, alias, constraint=chance.random() < 0.5)
    made.steps[owner, name] = Step(target, name, KEY)
    if alias:
        made.steps[target, alias] = Step(owner, KEY, name, many=True)


def _many_to_many(made: Made, left: str, right: str) -> None:
    fields = {KEY: "integer", "left": _key_kind(made, left), "right": _key_kind(made, right)}
    made.world.collection("junction", fields)
    made.world.m2o("junction", "left", left, "tags", junction_field="right")
    made.world.m2o("junction", "right", right, "tagged", junction_field="left")
    made.steps["junction", "left"] = Step(left, "left", KEY)
    made.steps["junction", "right"] = Step(right, "right", KEY)
    made.steps[left, "tags"] = Step("junction", KEY, "left", many=True)
    made.steps[right, "tagged"] = Step("junction", KEY, "right", many=True)


def _many_to_any(made: Made, owner: str, targets: Sequence[str]) -> None:
    fields = {KEY: "integer", "owner": _key_kind(made, owner), "which": "string", "item": "string"}
    made.world.collection("blocks", fields)
    made.world.m2o("blocks", "owner", owner, "parts", junction_field="item")
    made.world.m2a("blocks", "item", "which", targets)
    made.steps["blocks", "owner"] = Step(owner, "owner", KEY)
    made.steps[owner, "parts"] = Step("blocks", KEY, "owner", many=True)
    made.steps["blocks", "item"] = Step("", "item", KEY, which="which", targets=tuple(targets))


def _fill(made: Made, chance: random.Random) -> None:
    keys = {name: _keys(_key_kind(made, name)) for name in made.world.collections}
    for name in made.world.collections:
        made.rows[name] = [_row(made, chance, name, key, keys) for key in keys[name]]


def _keys(kind: str) -> list[Any]:
    if kind == "integer":
        return list(range(1, ROWS + 1))
    if kind == "string":
        return [chr(97 + number) * 2 for number in range(ROWS)]
    return [f"bbbbbbbb-0000-4000-8000-{number:012d}" for number in range(1, ROWS + 1)]


def _row(made: Made, chance: random.Random, name: str, key: Any, keys: Mapping[str, list[Any]]) -> Row:
    row: Row = {}
    for column, kind in made.kinds(name).items():
        step = made.steps.get((name, column))
        if column == KEY:
            row[column] = key
        elif column.startswith(RANK):
            row[column] = chance.randint(0, 3)
        elif step is not None and not step.which:
            row[column] = chance.choice([None, *keys[step.target]])
        elif (name, column) == ("blocks", "which"):
            row[column] = chance.choice([None, *made.steps["blocks", "item"].targets, "c0"])
        elif (name, column) == ("blocks", "item"):
            target = row["which"]
            row[column] = None if target is None else str(chance.choice([*keys[target], "none"]))
        else:
            row[column] = None if chance.random() < 0.2 else chance.choice(VALUES[kind])
    return row
