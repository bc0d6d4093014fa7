"""Random documents over a schema: every kind of root field, argument, fragment, directive and variable."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_composite_type,
)

from tests.graphql.oracle.worlds import KEY, RANK, VALUES, Made

DEPTH = 3
_TEXT_OPERATORS = [
    f"_{no}{kind}"
    for kind in ("contains", "starts_with", "ends_with", "icontains", "istarts_with", "iends_with")
    for no in ("", "n")
    if (no, kind) != ("n", "icontains")
]
NUMBERS = ("integer", "bigInteger", "float", "decimal")
DATES = ("date", "dateTime", "timestamp", "time")
PARTS = {
    "date": ("year", "month", "week", "day", "weekday"),
    "time": ("hour", "minute", "second"),
    "dateTime": ("year", "month", "week", "day", "weekday", "hour", "minute", "second"),
}
PARTS["timestamp"] = PARTS["dateTime"]


def other_texts(chance: random.Random, variables: dict[str, Any]) -> dict[str, Any]:
    """Variables with other texts in the place of those that are values of columns."""
    found = dict(variables)
    for name, value in variables.items():
        if isinstance(value, str) and not value.lstrip("-").isdigit():
            kinds = [values for kind, values in VALUES.items() if kind not in NUMBERS and value in values]
            others = [one for one in (kinds[0] if kinds else ()) if one and not one.isdigit()]
            found[name] = chance.choice(others or [value])
    return found


@dataclass
class Documents:
    """Makes documents; each call of `make` gives one with its variables."""

    chance: random.Random
    schema: GraphQLSchema
    made: Made
    _variables: dict[str, tuple[str, Any]] = field(default_factory=dict)
    _fragments: list[str] = field(default_factory=list)
    _names: int = 0

    def make(self) -> tuple[str, dict[str, Any]]:
        """A document and values of its variables."""
        self._variables, self._fragments, self._names = {}, [], 0
        roots = [self._root() for _ in range(self.chance.choice([1, 1, 1, 2, 3]))]
        if self.chance.random() < 0.1:
            roots.append("__typename")
        declared, given = [], {}
        for name, (type_, value) in self._variables.items():
            kind = self.chance.random()
            if kind < 0.2:
                declared.append(f"${name}: {type_} = {_literal(value)}")
                continue
            declared.append(f"${name}: {type_}")
            given[name] = value
        head = f"query q({', '.join(declared)})" if declared else "query q"
        return "\n".join([f"{head} {{ {' '.join(roots)} }}", *self._fragments]), given

    # -- selections

    def _root(self) -> str:
        chance = self.chance
        name = chance.choice(list(self.made.rows))
        kind = chance.random()
        query = self.schema.query_type
        assert query is not None
        if kind < 0.15:
            key = str(chance.choice([row[KEY] for row in self.made.rows[name]] * 5 + ["zz"]))
            return self._call(f"{name}_by_id", query, {"id": ("ID!", key)})
        if kind < 0.3:
            return self._call(f"{name}_aggregated", query, self._aggregate_arguments(name))
        return self._call(name, query, self._list_arguments(name, root=True))

    def _call(
        self, name: str, owner: GraphQLObjectType, arguments: dict[str, tuple[str, Any]], depth: int = DEPTH
    ) -> str:
        """A field with arguments; always under a name of its own."""
        self._names += 1
        written = ", ".join(
            f"{argument}: {self._value(type_, value)}" for argument, (type_, value) in arguments.items()
        )
        head = f"a{self._names}: {name}({written})" if written else f"a{self._names}: {name}"
        return head + self._directive() + self._below(owner.fields[name], depth)

    def _below(self, definition: GraphQLField, depth: int) -> str:
        type_ = get_named_type(definition.type)
        return f" {{ {self._selections(type_, depth - 1)} }}" if is_composite_type(type_) else ""

    def _selections(self, type_: Any, depth: int) -> str:
        chance = self.chance
        if isinstance(type_, GraphQLUnionType):
            parts = [
                f"... on {one.name} {{ {self._selections(one, depth)} }}"
                for one in type_.types
                if chance.random() < 0.8
            ]
            return " ".join([*parts, "__typename"] if chance.random() < 0.5 or not parts else parts)
        names = [
            name
            for name, definition in type_.fields.items()
            if depth > 0 or not is_composite_type(get_named_type(definition.type))
        ]
        if "group" in names:
            names = self._aggregated_names(type_)
        if type_.name.endswith("_aggregated_count"):
            # Fields without a column are listed, but can't be counted.
            names = [name for name in names if name in self.made.kinds(type_.name.partition("_")[0])]
        parts = [self._field(type_, chance.choice(names), depth) for _ in range(chance.randint(1, 5))]
        if chance.random() < 0.1:
            parts.append(chance.choice(["__typename", "kind: __typename"]))
        if chance.random() < 0.2:
            inner = self._field(type_, chance.choice(names), depth)
            condition = chance.choice(["", f" on {type_.name}"])
            parts.append(f"...{condition}{self._directive()} {{ {inner} }}")
        if chance.random() < 0.15:
            self._names += 1
            name = f"part{self._names}"
            inner = " ".join(self._field(type_, chance.choice(names), depth) for _ in range(2))
            self._fragments.append(f"fragment {name} on {type_.name} {{ {inner} }}")
            parts += [f"...{name}{self._directive()}"] * chance.choice([1, 1, 2])
        chance.shuffle(parts)
        # A selection may come to nothing by its directives, but must not be empty.
        return " ".join(parts)

    def _field(self, type_: GraphQLObjectType, name: str, depth: int) -> str:
        step = self.made.steps.get((type_.name, name))
        if step is not None and not step.which and self.chance.random() < 0.5:
            arguments = (
                self._list_arguments(step.target, root=False)
                if step.many
                else {"filter": (f"{step.target}_filter", self._filter(step.target, 1))}
            )
            return self._call(name, type_, arguments, depth)
        definition = type_.fields[name]
        self._names += 1
        # Under one name they would have to agree among the members of a union.
        alias = f"a{self._names}: " if self.chance.random() < 0.3 or name.endswith("_func") else ""
        return f"{alias}{name}{self._directive()}{self._below(definition, depth)}"

    def _aggregated_names(self, type_: GraphQLObjectType) -> list[str]:
        names = [name for name in type_.fields if name != "group"]
        return [*names, "group"] if self._grouped else names

    def _directive(self) -> str:
        if self.chance.random() > 0.1:
            return ""
        kind, value = self.chance.choice([("include", True), ("include", True), ("skip", False)])
        value = value if self.chance.random() < 0.8 else not value
        return f" @{kind}(if: {self._value('Boolean!', value)})"

    # -- arguments

    def _list_arguments(self, collection: str, *, root: bool) -> dict[str, tuple[str, Any]]:
        chance, found = self.chance, {}
        if chance.random() < 0.6:
            found["filter"] = (f"{collection}_filter", self._filter(collection, 3 if root else 1))
        if chance.random() < 0.4:
            found["sort"] = ("[String]", self._sort(collection, root=root))
        if chance.random() < 0.4:
            found["limit"] = ("Int", chance.choice([-1, 0, 1, 2, 5, 50]))
        if chance.random() < 0.2:
            found["offset"] = ("Int", chance.choice([0, 1, 3]))
        elif chance.random() < 0.1:
            found["page"] = ("Int", chance.choice([1, 2]))
        if chance.random() < 0.1:
            found["search"] = ("String", chance.choice(["a", "B", "1", "20", "1.5", VALUES["uuid"][0], "zz"]))
        return found

    def _sort(self, collection: str, *, root: bool) -> list[str]:
        """Keys that end with the item's own, so that every order is the only one."""
        chance, found = self.chance, []
        kinds = self.made.kinds(collection)
        for _ in range(chance.choice([0, 1, 1, 2])):
            path = self._sort_path(collection, 2) if root else ""
            ranks = [name for name in kinds if name.startswith(RANK)]
            path = path or (ranks[0] if ranks else KEY)
            found.append(chance.choice(["", "-"]) + path)
        return [*found, chance.choice(["", "-"]) + KEY]

    def _sort_path(self, collection: str, depth: int) -> str:
        chance = self.chance
        steps = [
            (name, step)
            for (owner, name), step in self.made.steps.items()
            if owner == collection and not step.many and not step.which
        ]
        if steps and depth and chance.random() < 0.3:
            name, step = chance.choice(steps)
            below = self._sort_path(step.target, depth - 1)
            return f"{name}.{below}" if below else ""
        kinds = self.made.kinds(collection)
        # The order of texts is the database's, and that of relations' columns their keys'.
        names = [
            name
            for name, kind in kinds.items()
            if kind in (*NUMBERS, *DATES, "boolean") and (collection, name) not in self.made.steps
        ]
        if not names:
            return ""
        name = chance.choice(names)
        if kinds[name] in PARTS and chance.random() < 0.3:
            return f"{chance.choice(PARTS[kinds[name]])}({name})"
        return name

    def _aggregate_arguments(self, collection: str) -> dict[str, tuple[str, Any]]:
        chance, found = self.chance, {}
        self._grouped = chance.random() < 0.6
        kinds = self.made.kinds(collection)
        if self._grouped:
            names = []
            for name, kind in kinds.items():
                if kind in PARTS:
                    names.append(f"{chance.choice(PARTS[kind])}({name})")
                elif kind in ("string", "integer", "boolean"):
                    names.append(name)
            found["groupBy"] = ("[String]", chance.sample(names, min(len(names), chance.randint(1, 2))))
        if chance.random() < 0.5:
            wanted = self._filter(collection, 1, joins=False)
            found["filter"] = (f"{collection}_filter", wanted)
        return found

    _grouped = False

    # -- filters

    def _filter(self, collection: str, depth: int, *, joins: bool = True, quantified: bool = True) -> Any:
        chance, kind = self.chance, self.chance.random()
        if depth and kind < 0.25:
            members = [
                self._filter(collection, depth - 1, joins=joins, quantified=quantified)
                for _ in range(chance.randint(1, 3))
            ]
            return {chance.choice(["_and", "_or"]): members}
        steps = [(name, step) for (owner, name), step in self.made.steps.items() if owner == collection]
        if depth and kind < 0.6 and steps and joins:
            name, step = chance.choice(steps)
            if step.which:
                target = chance.choice(step.targets)
                return {f"{name}__{target}": self._filter(target, depth - 1, quantified=False)}
            if step.many and quantified and chance.random() < 0.6:
                return {name: {chance.choice(["_some", "_none"]): self._filter(step.target, depth - 1)}}
            return {name: self._filter(step.target, depth - 1, quantified=False)}
        return self._plain_filter(collection, quantified=quantified)

    def _plain_filter(self, collection: str, *, quantified: bool) -> Any:
        chance, kinds = self.chance, self.made.kinds(collection)
        many = [name for (owner, name), step in self.made.steps.items() if owner == collection and step.many]
        if many and quantified and chance.random() < 0.15:
            return {f"{chance.choice(many)}_func": {"count": self._numeric([0, 1, 2, 3])}}
        names = [name for name in kinds if (collection, name) not in self.made.steps]
        name = chance.choice(names)
        kind = kinds[name]
        if kind in PARTS and chance.random() < 0.3:
            part = chance.choice(PARTS[kind])
            return {f"{name}_func": {part: self._numeric([1, 5, 10, 20, 2023, 2024])}}
        return {name: self._condition(kind, name)}

    def _condition(self, kind: str, name: str) -> Any:
        chance = self.chance
        if kind in ("json", "csv") or chance.random() < 0.15:
            return {chance.choice(["_null", "_nnull"]): chance.choice([True, False])}
        if kind == "boolean":
            return {chance.choice(["_eq", "_neq"]): chance.choice([True, False])}
        if kind in NUMBERS:
            values = [1, 2, 3] if name == KEY else VALUES[kind]
            return self._numeric([str(value) for value in values] if kind == "bigInteger" else values)
        if kind in DATES:
            return self._ordered(VALUES[kind])
        if kind == "uuid":
            values = VALUES[kind]
            if chance.random() < 0.5:
                return {chance.choice(["_eq", "_neq"]): chance.choice(values)}
            return {chance.choice(["_in", "_nin"]): chance.sample(values, 2)}
        return self._textual()

    def _textual(self) -> Any:
        chance = self.chance
        kind = chance.random()
        if kind < 0.15:
            return {chance.choice(["_empty", "_nempty"]): chance.choice([True, False])}
        if kind < 0.3:
            return {chance.choice(["_in", "_nin"]): chance.sample(VALUES["string"][1:], 2)}
        if kind < 0.5:
            return {chance.choice(["_eq", "_neq"]): chance.choice(VALUES["string"][1:])}
        return {chance.choice(_TEXT_OPERATORS): chance.choice(["a", "b", "B", "ab", '"', "ü"])}

    def _numeric(self, values: Any) -> Any:
        return self._ordered(values)

    def _ordered(self, values: Any) -> Any:
        chance = self.chance
        kind = chance.random()
        if kind < 0.2:
            return {chance.choice(["_in", "_nin"]): chance.sample(list(values), 2)}
        if kind < 0.4:
            bounds = sorted(chance.sample(list(values), 2), key=_by_number)
            return {chance.choice(["_between", "_nbetween"]): bounds}
        operators = [chance.choice(["_eq", "_neq", "_lt", "_lte", "_gt", "_gte"])]
        if chance.random() < 0.1:
            operators.append("_nnull")
        return {name: True if name == "_nnull" else chance.choice(list(values)) for name in operators}

    # -- values

    def _value(self, type_: str, value: Any) -> str:
        """A literal, a variable, or a literal that holds variables."""
        chance = self.chance
        if chance.random() < (0.6 if isinstance(value, str) else 0.2):
            return self._variable(type_, value)
        named = self.schema.type_map.get(type_.strip("[]!"))
        if isinstance(value, dict) and isinstance(named, GraphQLInputObjectType):
            members = [
                f"{name}: {self._value(str(named.fields[name].type), inner)}" for name, inner in value.items()
            ]
            return f"{{{', '.join(members)}}}"
        if isinstance(value, list) and type_.startswith("["):
            inner_type = type_.rstrip("!")[1:-1]
            return f"[{', '.join(self._value(inner_type, inner) for inner in value)}]"
        return _literal(value)

    def _variable(self, type_: str, value: Any) -> str:
        self._names += 1
        name = f"v{self._names}"
        self._variables[name] = (type_, value)
        return f"${name}"


def _by_number(value: Any) -> Any:
    return float(value) if isinstance(value, str) and value.lstrip("-").isdigit() else value


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_literal(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
