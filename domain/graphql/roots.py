"""The root fields that follow from the model: their names, and what each stands for (section 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from domain.graphql.outline import SYSTEM_PREFIX, Outline, Scope

RootKind = Literal[
    "list", "by_id", "aggregated", "by_version", "singleton", "singleton_by_version",
    "create_many", "create_one", "update_many", "update_batch", "update_one", "update_singleton",
    "delete_many", "delete_one", "mutated",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Root:
    """One root field: what it does with a collection. ``readable``: whether it can answer with items."""

    kind: RootKind
    collection: str
    readable: bool = True


def queries(outline: Outline, scope: Scope) -> Mapping[str, Root]:
    """The root fields of Query."""
    return dict(_queries(outline, scope))


def mutations(outline: Outline, scope: Scope) -> Mapping[str, Root]:
    """The root fields of Mutation."""
    return dict(_mutations(outline, scope))


def subscriptions(outline: Outline) -> Mapping[str, Root]:
    """The root fields of Subscription, the same in both scopes."""
    return {f"{name}_mutated": Root("mutated", name) for name in outline.collections("read")}


def _named(outline: Outline, scope: Scope) -> Iterator[tuple[str, str]]:
    """Collections of a scope with the name that their root fields bear."""
    for name, collection in outline.model.collections.items():
        if collection.system == (scope == "system"):
            yield name, name.removeprefix(SYSTEM_PREFIX) if scope == "system" else name


def _queries(outline: Outline, scope: Scope) -> Iterator[tuple[str, Root]]:
    for name, root in _named(outline, scope):
        if not outline.may(name, "read"):
            continue
        collection = outline.model.collections[name]
        versioned = scope == "items"
        if collection.singleton:
            yield root, Root("singleton", name)
            if versioned:
                yield f"{root}_by_version", Root("singleton_by_version", name)
            continue
        yield root, Root("list", name)
        if collection.primary_key:
            yield f"{root}_by_id", Root("by_id", name)
        yield f"{root}_aggregated", Root("aggregated", name)
        if versioned and collection.primary_key:
            yield f"{root}_by_version", Root("by_version", name)


def _mutations(outline: Outline, scope: Scope) -> Iterator[tuple[str, Root]]:
    for name, root in _named(outline, scope):
        singleton = outline.model.collections[name].singleton
        readable = outline.may(name, "read")
        if outline.writable(name, "create") and not singleton:
            yield f"create_{root}_items", Root("create_many", name, readable)
            yield f"create_{root}_item", Root("create_one", name, readable)
        if outline.writable(name, "update"):
            if singleton:
                yield f"update_{root}", Root("update_singleton", name, readable)
            else:
                yield f"update_{root}_items", Root("update_many", name, readable)
                yield f"update_{root}_batch", Root("update_batch", name, readable)
                yield f"update_{root}_item", Root("update_one", name, readable)
        if outline.writable(name, "delete") and not singleton:
            yield f"delete_{root}_items", Root("delete_many", name)
            yield f"delete_{root}_item", Root("delete_one", name)
