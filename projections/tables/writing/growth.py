"""From payloads to a tree of decided nodes: level by level, each with at most one look-up per relation.

Everything a client can get wrong is found here, before the first row is written. Rights, presets and
validation are those of each item's own collection and of what will happen to it: a nested object with a key
is an update where that item exists and a create where it does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from domain.errors import Forbidden, InvalidPayload
from domain.items.checks import Action, accepted, deletable, permit, validate
from domain.items.nested import Nested, ToMany, ToOne, split
from domain.items.shape import Shape
from domain.model import Relation
from projections.errors import Attempt
from projections.system.guards import Change, Occasion
from projections.tables.writing.batches import keyed_rows
from projections.tables.writing.conditions import condition_of
from projections.tables.writing.decisions import changed_row, new_row, update_condition
from projections.tables.writing.hashing import stored_secrets
from projections.tables.writing.naming import templates
from projections.tables.writing.nodes import Detachment, Node, Payload
from projections.tables.writing.session import execute
from projections.tables.writing.tables import Tables

_SQL = templates("writing/nested")
# Stands for the key of a parent that is not written yet.
_PENDING = ""


@dataclass
class Growth:
    """The making of one tree, inside an open transaction."""

    occasion: Occasion
    tables: Tables
    limit: int | None
    size: int = 0
    _promised: set[tuple[str, str]] = field(default_factory=set)
    _detachments: list[Detachment] = field(default_factory=list)
    _sorted: list[tuple[Node, ToMany, list[Node]]] = field(default_factory=list)

    async def run(self, roots: Sequence[Node]) -> None:
        """Decide the roots and everything nested in them."""
        level: list[Node] = list(roots)
        while level or self._detachments:
            # What leaves a parent goes first: it may be joining another one in the same command.
            level = await self._detached() + level
            self.size += sum(node.intent != "keep" for node in level)
            if self.limit is not None and self.size > self.limit:
                raise InvalidPayload(f"Exceeded max batch mutation limit of {self.limit}")
            await self._look_up(level)
            await self._number()
            level = await self._decide([node for node in level if node.intent != "keep"])

    # --- what is there

    async def _look_up(self, level: Sequence[Node]) -> None:
        """Which of the items exist and, for children, whether they belong to their parent already."""
        groups: dict[tuple[str, str | None], list[Node]] = {}
        for node in level:
            if node.key is None:
                continue
            if node.intent == "create":
                self._promised.add((node.name, node.key))
            elif node.intent in ("save", "attach") or node.pointer is not None:
                groups.setdefault((node.name, node.pointer), []).append(node)
        for (_, pointer), nodes in groups.items():
            found = await self._found(nodes, pointer)
            for place, node in enumerate(nodes):
                self._settle(node, place in found, found.get(place))

    async def _found(self, nodes: Sequence[Node], pointer: str | None) -> dict[int, str | None]:
        table = nodes[0].table
        statement = table.statements.lookup(_SQL["lookup"], pointer)
        keys = keyed_rows([node.key_parts for node in nodes])
        rows = await execute(
            self.occasion.connection, statement, [keys], Attempt(self.occasion.model, table.shape.name)
        )
        return {int(n or 0) - 1: value for n, _, value in rows}

    def _settle(self, node: Node, exists: bool, points_to: str | None) -> None:
        item = (node.name, node.key or "")
        if not exists and item not in self._promised:
            self._settle_missing(node)
            return
        # Another node of this command creates the item, so this one has to come after it.
        node.rank += 0 if exists else 1
        if points_to is not None and node.parent is not None and points_to == node.parent.key:
            node.pointer = None
        named = set(node.payload) - set(node.table.shape.collection.primary_key)
        nothing = node.pointer is None and not named
        # Naming an item without changing it is no update, except in a list of updates.
        node.intent = "keep" if nothing and node.intent in ("save", "attach") else "update"

    def _settle_missing(self, node: Node) -> None:
        if node.intent == "attach":
            raise Forbidden()
        if node.intent == "save":
            node.intent = "create"
            self._promised.add((node.name, node.key or ""))
        elif not self.occasion.command.rights.admin:
            raise Forbidden.action("update", node.name, list(node.payload))
        else:
            node.intent = "keep"

    async def _detached(self) -> list[Node]:
        """The nodes of rows that lose their parent."""
        waiting, self._detachments = self._detachments, []
        groups: dict[tuple[str, str, bool], list[Detachment]] = {}
        for entry in waiting:
            relation = entry.change.relation
            groups.setdefault((relation.collection, relation.field, entry.change.complete), []).append(entry)
        nodes: list[Node] = []
        for (collection, pointer, complete), entries in groups.items():
            table = self.tables.of(self.occasion.model, collection)
            form, list_name = ("left_out", "kept") if complete else ("taken_out", "removed")
            statement = table.statements.pointing(_SQL[form], form, pointer)
            documents = [
                {"n": place, "parent": entry.parent.key, list_name: entry.keys}
                for place, entry in enumerate(entries)
            ]
            rows = await self._pointed(statement, documents, collection)
            found = sorted((int(place or 0), key or "") for place, key in rows)
            nodes += [self._loose(entries[place], key) for place, key in found]
        return nodes

    def _loose(self, entry: Detachment, key: str) -> Node:
        relation, parent = entry.change.relation, entry.parent
        deleting = relation.meta is not None and relation.meta.one_deselect_action == "delete"
        node = Node(
            self.tables.of(self.occasion.model, relation.collection),
            "delete" if deleting else "update",
            {} if deleting else {relation.field: None},
            key,
            parent.rank + 2,
            (*parent.path, entry.change.field),
            parent,
        )
        parent.after.append(node)
        return node

    async def _number(self) -> None:
        """Put new children at the end of their relation's order."""
        waiting, self._sorted = self._sorted, []
        groups: dict[tuple[str, str, str], list[tuple[Node, list[Node]]]] = {}
        for parent, change, children in waiting:
            meta = change.relation.meta
            if meta is not None and meta.sort_field and children:
                key = (change.relation.collection, change.relation.field, meta.sort_field)
                groups.setdefault(key, []).append((parent, children))
        for (collection, pointer, sort_field), entries in groups.items():
            last = await self._last_places(collection, pointer, sort_field, [parent for parent, _ in entries])
            for place, (_, children) in enumerate(entries):
                for child in children:
                    if sort_field not in child.payload:
                        last[place] += 1
                        child.payload[sort_field] = last[place]

    async def _last_places(
        self, collection: str, pointer: str, sort_field: str, parents: Sequence[Node]
    ) -> list[int]:
        table = self.tables.of(self.occasion.model, collection)
        last = [0] * len(parents)
        documents = [
            {"n": place, "parent": parent.key}
            for place, parent in enumerate(parents)
            if parent.key is not None
        ]
        if documents and sort_field in table.shape.writables:
            statement = table.statements.pointing(_SQL["last_places"], "sort", pointer, sort=sort_field)
            for place, highest in await self._pointed(statement, documents, collection):
                last[int(place or 0)] = int(highest or 0)
        return last

    async def _pointed(
        self, statement: bytes, documents: Sequence[Any], collection: str
    ) -> list[list[str | None]]:
        attempt = Attempt(self.occasion.model, collection)
        return await execute(self.occasion.connection, statement, [orjson.dumps(documents).decode()], attempt)

    # --- what becomes of it

    async def _decide(self, level: Sequence[Node]) -> list[Node]:
        following: list[Node] = []
        for node in level:
            await self._accept(node)
        for _, nodes in _by_shape(level):
            await self._guard(nodes)
        nested = [self._divide(node) for node in level]
        for shape, nodes in _by_shape(level):
            hashes = await stored_secrets(shape, [node.given for node in nodes], self.occasion.writer.seal)
            for node, made in zip(nodes, hashes, strict=True):
                if node.intent == "create":
                    node.row = new_row(shape, self.occasion.command, node.given, made)
                    node.key = node.key or _key_of(shape, node.row.cells)
                elif node.intent == "update":
                    node.row = changed_row(shape, self.occasion.command, node.given, made)
        for node, asked in zip(level, nested, strict=True):
            for entry in asked:
                following += self._one(node, entry) if isinstance(entry, ToOne) else self._many(node, entry)
        return following

    async def _accept(self, node: Node) -> None:
        """Check whether a node may be sent its payload."""
        shape, command = node.table.shape, self.occasion.command
        if node.intent == "delete":
            if await self._shown_deletion(node):
                permit(shape, command, "delete")
                node.condition = condition_of(shape, command, deletable(shape, command))
            return
        if node.twin is not None:
            return
        action = _action(node)
        permit(shape, command, action)
        sent = await self._shown(node, action)
        if node.pointer is not None and node.parent is not None:
            sent[node.pointer] = node.parent.key or _PENDING
        node.given = accepted(shape, command, action, sent)
        if action == "update":
            node.condition = update_condition(shape, command, list(sent))

    async def _guard(self, nodes: Sequence[Node]) -> None:
        """Let the guard of a system collection see all payloads of a level."""
        guard = nodes[0].table.guard
        actions: tuple[Action, ...] = ("create", "update")
        for action in actions if guard is not None else ():
            asked = [node for node in nodes if node.twin is None and node.intent == action]
            if guard is None or not asked:
                continue
            changes = [Change(node.given, _keys(node), node.path) for node in asked]
            for node, given in zip(asked, await guard.payloads(self.occasion, action, changes), strict=True):
                node.given = dict(given)

    def _divide(self, node: Node) -> Sequence[Nested]:
        """Check the values of an accepted payload; what it asks of other items."""
        shape, command = node.table.shape, self.occasion.command
        if node.intent in ("delete", "keep"):
            return []
        if node.twin is not None:
            node.given, node.condition = node.twin.given, node.twin.condition
            node.links = node.twin.links
            return [entry for entry in node.twin.asked if isinstance(entry, ToMany)]
        given = node.given
        own, nested = split(shape, given)
        validate(shape, command, _action(node), given, node.path)
        # Keys that are known only when other rows are written hold their place until then.
        waiting = {entry.field for entry in nested if isinstance(entry, ToOne)} | {node.pointer}
        node.given = {
            name: None if name in waiting else own[name] for name in given if name in own or name in waiting
        }
        node.asked = nested
        return nested

    async def _shown(self, node: Node, action: Action) -> Payload:
        """The payload of a nested item after the filters; those of roots were asked before."""
        filtering, payload = self.occasion.writer.filtering, dict(node.payload)
        if node.parent is None or not await filtering.listens(self.occasion.command, node.name, action):
            return payload
        if node.pointer is not None:
            payload[node.pointer] = node.parent.key
        if action == "create":
            [given] = await filtering.created(
                self.occasion.connection, self.occasion.command, node.name, [payload]
            )
            node.key = node.table.shape.key_in(given)
            return given
        keys = [] if node.key is None else [node.key]
        return await filtering.updated(
            self.occasion.connection, self.occasion.command, node.name, payload, keys
        )

    async def _shown_deletion(self, node: Node) -> bool:
        """Whether a nested item is still to be deleted after the filters."""
        filtering = self.occasion.writer.filtering
        if node.key is None or not await filtering.listens(self.occasion.command, node.name, "delete"):
            return True
        kept = await filtering.deleted(self.occasion.connection, self.occasion.command, node.name, [node.key])
        if node.key not in kept:
            node.intent = "keep"
        return node.intent == "delete"

    def _one(self, node: Node, entry: ToOne) -> list[Node]:
        table = self.tables.of(self.occasion.model, entry.collection)
        key = table.shape.key_in(entry.payload)
        child = Node(
            table,
            "create" if key is None else "save",
            entry.payload,
            key,
            node.rank - 2,
            (*node.path, entry.field),
            node,
        )
        node.links.append((entry.field, child))
        node.before.append(child)
        return [child]

    def _many(self, node: Node, entry: ToMany) -> list[Node]:
        shape = self.tables.of(self.occasion.model, entry.relation.collection).shape
        created = [self._child(node, entry, "create", payload) for payload in entry.creates]
        saved = [self._child(node, entry, "save", payload) for payload in entry.saves]
        updated = [self._child(node, entry, "update", payload) for payload in entry.updates]
        attached = [
            self._child(node, entry, "attach", {}, shape.key_in(_named(shape, key))) for key in entry.attached
        ]
        if entry.sorted:
            self._sorted.append((node, entry, created))
        children = [*saved, *updated, *attached, *created]
        if node.intent == "update":
            if entry.complete:
                kept = tuple(child.key for child in children if child.key is not None)
                self._detachments.append(Detachment(node, entry, kept))
            elif entry.removed:
                removed = tuple(shape.canonical(str(key)) for key in entry.removed)
                self._detachments.append(Detachment(node, entry, removed))
        node.after += children
        return children

    def _child(
        self, parent: Node, entry: ToMany, intent: Any, payload: Payload, key: str | None = None
    ) -> Node:
        relation: Relation = entry.relation
        table = self.tables.of(self.occasion.model, relation.collection)
        rest = {name: value for name, value in payload.items() if name != relation.field}
        key = key or table.shape.key_in(payload)
        path = (*parent.path, entry.field)
        return Node(table, intent, rest, key, parent.rank + 2, path, parent, relation.field)


def _action(node: Node) -> Action:
    return "create" if node.intent == "create" else "update"


def _keys(node: Node) -> Sequence[str]:
    """What a change is made to; the key that a new item shall have names nothing yet."""
    return node.together or ([node.key] if node.key is not None and node.intent == "update" else [])


def _by_shape(level: Iterable[Node]) -> list[tuple[Shape, list[Node]]]:
    groups: dict[str, tuple[Shape, list[Node]]] = {}
    for node in level:
        groups.setdefault(node.name, (node.table.shape, []))[1].append(node)
    return list(groups.values())


def _key_of(shape: Shape, cells: dict[str, str | None]) -> str | None:
    return shape.key_in({name: cells.get(name) for name in shape.collection.primary_key})


def _named(shape: Shape, key: Any) -> Payload:
    """A key as the payload that names it; composite keys come in their text form."""
    names = shape.collection.primary_key
    if len(names) == 1:
        return {names[0]: key}
    return dict(zip(names, shape.key_texts(str(key)), strict=True))
