"""The types of a schema as plain definitions: what each is called and made of (sections 2 to 4).

Types refer to each other by name (``[posts!]!``), and the members of a type are only worked out when somebody
looks at it: a document that touches three types of a thousand costs three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from domain.access.rights import Action
from domain.graphql import kinds
from domain.graphql.outline import Outline, Scope, Shape
from domain.graphql.roots import Root, mutations, queries, subscriptions

NOTHING: Mapping[str, str] = {}
AS_OF = "asOf"
"""The argument of root fields that names a moment to read at."""


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """A member of a type: its type, and the types of its arguments. ``default`` is one of an input's."""

    type: str
    arguments: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    description: str | None = None
    defaults: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


Members = Mapping[str, FieldDefinition]


@dataclass(frozen=True, slots=True)
class TypeDefinition:
    """A type; ``members`` are fields, of unions and enums only the names count."""

    kind: Literal["object", "input", "union", "enum", "scalar"]
    members: Callable[[], Members]
    description: str | None = None


Definitions = dict[str, TypeDefinition]


def definitions(outline: Outline, scope: Scope) -> Definitions:
    """All types that follow from the model, and the shared ones; server operations are added elsewhere."""
    found = shared()
    for name in outline.collections("read"):
        found.update(_reading(outline, name))
    for action in ("create", "update"):
        for name in outline.collections(action):
            found[f"{action}_{name}_input"] = _input(outline, name, action)
    if scope == "items":
        for name in outline.collections("read"):
            found.setdefault(f"version_{name}", TypeDefinition("object", _Lazy(_version, outline, name)))
    found["Query"] = TypeDefinition("object", _Lazy(_query, outline, scope))
    if mutations(outline, scope):
        found["Mutation"] = TypeDefinition("object", _Lazy(_mutation, outline, scope))
    if subscriptions(outline):
        found["Subscription"] = TypeDefinition("object", _Lazy(_subscription, outline))
    return found


class _Lazy:
    """A call that is made when its value is first asked for."""

    def __init__(self, make: Callable[..., Iterator[tuple[str, FieldDefinition]]], *arguments: Any) -> None:
        self._make = make
        self._arguments = arguments
        self._value: Members | None = None

    def __call__(self) -> Members:
        if self._value is None:
            self._value = dict(self._make(*self._arguments))
        return self._value


def shared() -> Definitions:
    """The types that every schema has."""
    found: Definitions = {
        f"{name}_filter_operators": _plain("input", members) for name, members in kinds.OPERATORS.items()
    }
    for name, functions in kinds.FUNCTIONS.items():
        found[f"{name}_functions"] = _plain("object", dict.fromkeys(functions, "Int"))
        operators = dict.fromkeys(functions, "number_filter_operators")
        found[f"{name}_function_filter_operators"] = _plain("input", operators)
    found["delete_one"] = _plain("object", {"id": "ID!"})
    found["delete_many"] = _plain("object", {"ids": "[ID]!"})
    found["EventEnum"] = _plain("enum", {"create": "", "update": "", "delete": ""})
    return found


def _plain(kind: Literal["object", "input", "enum"], members: Mapping[str, str]) -> TypeDefinition:
    fields = {name: FieldDefinition(type_) for name, type_ in members.items()}
    return TypeDefinition(kind, lambda: fields)


def _reading(outline: Outline, name: str) -> Iterator[tuple[str, TypeDefinition]]:
    yield name, TypeDefinition("object", _Lazy(_object, outline, name))
    yield f"{name}_filter", TypeDefinition("input", _Lazy(_filter, outline, name))
    yield f"{name}_quantifier_filter", TypeDefinition("input", _Lazy(_quantifier, outline, name), "")
    yield f"{name}_aggregated", TypeDefinition("object", _Lazy(_aggregated, outline, name))
    yield f"{name}_aggregated_count", TypeDefinition("object", _Lazy(_counts, outline, name))
    yield f"{name}_aggregated_fields", TypeDefinition("object", _Lazy(_numbers, outline, name))
    yield f"{name}_mutated", TypeDefinition("object", _Lazy(_mutated, name))
    for shape in outline.fields(name, "read").values():
        if shape.kind == "any":
            yield union_name(name, shape.name), TypeDefinition("union", _Lazy(_union, shape))


def union_name(collection: str, item: str) -> str:
    """The name of the union behind a many-to-any item."""
    return f"{collection}_{item}_union"


# -- reading -----------------------------------------------------------------------------------------------


def list_arguments(name: str) -> Mapping[str, str]:
    """The arguments of lists and relations."""
    return {
        "filter": f"{name}_filter", "sort": "[String]", "limit": "Int", "offset": "Int", "page": "Int",
        "search": "String",
    }  # fmt: skip


def _object(outline: Outline, name: str) -> Iterator[tuple[str, FieldDefinition]]:
    for shape in outline.fields(name, "read").values():
        note = (shape.field.meta or {}).get("note") or None
        if shape.kind == "scalar":
            yield shape.name, FieldDefinition(_scalar(shape), description=note)
        elif shape.kind == "any":
            yield shape.name, FieldDefinition(union_name(name, shape.name), description=note)
        else:
            type_ = shape.related if shape.kind == "one" else f"[{shape.related}]"
            yield shape.name, FieldDefinition(type_, list_arguments(shape.related), note)
        if shape.functions:
            yield f"{shape.name}_func", FieldDefinition(f"{shape.functions}_functions")


def _scalar(shape: Shape) -> str:
    return f"{shape.scalar}!" if shape.required else shape.scalar


def _union(shape: Shape) -> Iterator[tuple[str, FieldDefinition]]:
    for target in shape.targets:
        yield target, FieldDefinition(target)


def _filter(outline: Outline, name: str) -> Iterator[tuple[str, FieldDefinition]]:
    for shape in outline.fields(name, "read").values():
        if shape.kind == "any":
            continue
        if shape.kind == "one":
            yield shape.name, FieldDefinition(f"{shape.related}_filter")
        elif shape.kind == "many":
            yield shape.name, FieldDefinition(f"{shape.related}_quantifier_filter")
        else:
            yield shape.name, FieldDefinition(f"{shape.filter}_filter_operators")
        if shape.functions:
            yield f"{shape.name}_func", FieldDefinition(f"{shape.functions}_function_filter_operators")
    yield "_and", FieldDefinition(f"[{name}_filter]")
    yield "_or", FieldDefinition(f"[{name}_filter]")
    for shape in outline.fields(name, "read").values():
        for target in shape.targets:
            yield f"{shape.name}__{target}", FieldDefinition(f"{target}_filter")


def _quantifier(outline: Outline, name: str) -> Iterator[tuple[str, FieldDefinition]]:
    yield from _filter(outline, name)
    yield "_some", FieldDefinition(f"{name}_filter")
    yield "_none", FieldDefinition(f"{name}_filter")


def _aggregated(outline: Outline, name: str) -> Iterator[tuple[str, FieldDefinition]]:
    yield "group", FieldDefinition("JSON")
    yield "countAll", FieldDefinition("Int")
    yield "count", FieldDefinition(f"{name}_aggregated_count")
    yield "countDistinct", FieldDefinition(f"{name}_aggregated_count")
    types = {shape.field.type for shape in outline.fields(name, "read").values() if _countable(shape)}
    if types & kinds.COMMON_NUMBERS:
        for function in ("avg", "sum", "avgDistinct", "sumDistinct", "min", "max"):
            yield function, FieldDefinition(f"{name}_aggregated_fields")


def _countable(shape: Shape) -> bool:
    return not shape.field.alias and not shape.field.concealed


def _counts(outline: Outline, name: str) -> Iterator[tuple[str, FieldDefinition]]:
    for field_name in outline.fields(name, "read"):
        yield field_name, FieldDefinition("Int")


def _numbers(outline: Outline, name: str) -> Iterator[tuple[str, FieldDefinition]]:
    for shape in outline.fields(name, "read").values():
        if _countable(shape) and shape.field.type in kinds.NUMBERS:
            yield shape.name, FieldDefinition("Float")


def _version(outline: Outline, name: str) -> Iterator[tuple[str, FieldDefinition]]:
    for shape in outline.fields(name, outline.versioned(name)).values():
        type_ = "String" if shape.kind == "any" else _scalar(shape)
        yield shape.name, FieldDefinition("JSON" if shape.kind in ("one", "many") else type_)


def _mutated(name: str) -> Iterator[tuple[str, FieldDefinition]]:
    yield "key", FieldDefinition("ID!")
    yield "event", FieldDefinition("EventEnum")
    yield "data", FieldDefinition(name)


# -- writing -----------------------------------------------------------------------------------------------


def _input(outline: Outline, name: str, action: Literal["create", "update"]) -> TypeDefinition:
    return TypeDefinition("input", _Lazy(_input_members, outline, name, action))


def _input_members(outline: Outline, name: str, action: Action) -> Iterator[tuple[str, FieldDefinition]]:
    for shape in outline.fields(name, action).values():
        if shape.kind == "one":
            yield shape.name, FieldDefinition(f"{action}_{shape.related}_input")
        elif shape.kind == "many":
            yield shape.name, FieldDefinition(f"[{action}_{shape.related}_input]")
        else:
            yield shape.name, FieldDefinition(_scalar(shape))


# -- roots -------------------------------------------------------------------------------------------------


def _query(outline: Outline, scope: Scope) -> Iterator[tuple[str, FieldDefinition]]:
    found = queries(outline, scope)
    if not found:
        yield "_empty", FieldDefinition("Void")
    for name, root in found.items():
        yield name, _query_field(root)


def _query_field(root: Root) -> FieldDefinition:
    name = root.collection
    if root.kind == "list":
        return FieldDefinition(f"[{name}!]!", {**list_arguments(name), AS_OF: "String"})
    if root.kind == "by_id":
        return FieldDefinition(name, {"id": "ID!", "version": "String", AS_OF: "String"})
    if root.kind == "aggregated":
        arguments = {
            "groupBy": "[String]", "filter": f"{name}_filter", "limit": "Int", "offset": "Int",
            "page": "Int", "search": "String", "sort": "[String]", AS_OF: "String",
        }  # fmt: skip
        return FieldDefinition(f"[{name}_aggregated!]!", arguments)
    if root.kind == "by_version":
        return FieldDefinition(f"version_{name}", {"version": "String!", "id": "ID!"})
    if root.kind == "singleton_by_version":
        return FieldDefinition(f"version_{name}", {"version": "String!"})
    return FieldDefinition(name, {"version": "String", AS_OF: "String"})


def _mutation(outline: Outline, scope: Scope) -> Iterator[tuple[str, FieldDefinition]]:
    for name, root in mutations(outline, scope).items():
        yield name, _mutation_field(root)


def _mutation_field(root: Root) -> FieldDefinition:
    name = root.collection
    if root.kind == "delete_many":
        return FieldDefinition("delete_many", {"ids": "[ID]!"})
    if root.kind == "delete_one":
        return FieldDefinition("delete_one", {"id": "ID!"})
    one = name if root.readable else "Boolean"
    many = f"[{name}!]!" if root.readable else "Boolean"
    lists = list_arguments(name) if root.readable else {}
    create, update = f"create_{name}_input", f"update_{name}_input"
    fields = {
        "create_many": FieldDefinition(many, {**lists, "data": f"[{create}!]"}),
        "create_one": FieldDefinition(one, {"data": f"{create}!"}),
        "update_many": FieldDefinition(many, {**lists, "ids": "[ID]!", "data": f"{update}!"}),
        "update_batch": FieldDefinition(many, {**lists, "data": f"[{update}!]"}),
        "update_one": FieldDefinition(one, {"id": "ID!", "data": f"{update}!"}),
        "update_singleton": FieldDefinition(one, {"data": f"{update}!"}),
    }
    return fields[root.kind]


def _subscription(outline: Outline) -> Iterator[tuple[str, FieldDefinition]]:
    for name, root in subscriptions(outline).items():
        yield name, FieldDefinition(f"{root.collection}_mutated", {"event": "EventEnum"})
