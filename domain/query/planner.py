"""Query, model and rights to a plan.

Every name of a query is first looked up as if nothing were forbidden, so that a request naming a missing and
a forbidden field reports the missing one; then the plan is made under the caller's own rights.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

from domain.access.caller import Caller
from domain.access.rights import ADMINISTRATOR, Rights
from domain.errors import Forbidden, InvalidQuery
from domain.model import Collection, Model, split_key
from domain.model.types import default_value
from domain.query.aggregate import Joined, group_order, multiplying, plan_groups
from domain.query.calls import function_field
from domain.query.conditions import compile_filter
from domain.query.filters import All, Condition, Filter, conjunction
from domain.query.keyset import behind, with_key
from domain.query.limits import QueryLimits
from domain.query.members import MemberLevels, field_names
from domain.query.operands import KeyPart, Value, Values
from domain.query.ordering import Ordering
from domain.query.parse import split_path
from domain.query.plan import (
    Both,
    Compare,
    Counting,
    Either,
    Level,
    Page,
    Predicate,
    ReadPlan,
    Ref,
    Row,
    Truth,
    both,
    either,
)
from domain.query.query import Query
from domain.query.scope import Scope, function_call
from domain.query.search import search_predicate
from domain.query.select import Selection, Wanted, default_sort, window
from domain.query.visibility import row_rule

_DEFAULTS = QueryLimits()
_INTEGER = re.compile(r"[+-]?\d+")
_RANGES = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}


def plan_list(
    model: Model,
    rights: Rights,
    caller: Caller,
    collection: str,
    query: Query,
    limits: QueryLimits = _DEFAULTS,
) -> ReadPlan:
    """The plan of a list."""
    return _checked(
        model, rights, caller, limits, lambda scope: _list(scope, collection, query, None, single=False)
    )


def plan_item(
    model: Model,
    rights: Rights,
    caller: Caller,
    collection: str,
    query: Query,
    limits: QueryLimits = _DEFAULTS,
) -> ReadPlan:
    """The plan of one item; `key_parts` of its key's text are the operands that the plan leaves open.

    What the filter says of the key yields to the key, and ``meta`` is of lists.
    """

    def build(scope: Scope) -> ReadPlan:
        found = scope.collection(collection)
        root = replace(query.root, filter=_without_key(found, query.root.filter))
        return _list(scope, collection, replace(query, root=root, meta=()), (), single=True)

    return _checked(model, rights, caller, limits, build)


def _without_key(collection: Collection, filter: Filter | None) -> Filter | None:
    members = filter.members if isinstance(filter, All) else (filter,) if filter else ()
    keys = {(name,) for name in collection.primary_key}
    kept = [entry for entry in members if not (isinstance(entry, Condition) and entry.path in keys)]
    return conjunction(kept) if kept else None


def with_version(model: Model, plan: ReadPlan) -> ReadPlan:
    """The plan of a single item with its version beside the answer, where what is read has one.

    The version is the row's ``xmin``, the number of the transaction that wrote it: free to read, and changed
    by every writer, Acta or not.
    """
    if (
        not plan.single
        or not isinstance(plan.answer, Level)
        or not model.collections[plan.collection].writable
    ):
        return plan
    return replace(plan, version=Ref(plan.page.row, "xmin", "xid"))


def key_parts(collection: Collection, key: str) -> tuple[str, ...]:
    """The texts of a key's columns. Raises Forbidden for a text that can't be a key."""
    parts = split_key(key, len(collection.primary_key)) if collection.primary_key else ()
    columns = [collection.columns[name] for name in collection.primary_key]
    if not parts or not all(
        _possible(column.base_type, text) for column, text in zip(columns, parts, strict=True)
    ):
        raise Forbidden()
    return parts


def plan_keys(
    model: Model,
    rights: Rights,
    caller: Caller,
    collection: str,
    keys: Sequence[str],
    query: Query,
    limits: QueryLimits = _DEFAULTS,
) -> ReadPlan:
    """The plan of the items with these keys; sized to the keys unless the query has a limit."""
    return _checked(
        model, rights, caller, limits, lambda scope: _list(scope, collection, query, keys, single=False)
    )


def plan_singleton(
    model: Model,
    rights: Rights,
    caller: Caller,
    collection: str,
    query: Query,
    limits: QueryLimits = _DEFAULTS,
) -> ReadPlan:
    """The plan of a singleton's item; without a visible row its columns' defaults stand in for it."""
    one = replace(query, root=replace(query.root, limit=1, page=None))

    def build(scope: Scope) -> ReadPlan:
        plan = _list(scope, collection, one, None, single=True)
        return (
            plan if query.aggregated else replace(plan, empty=_defaults(scope.collection(collection), query))
        )

    return _checked(model, rights, caller, limits, build)


def _defaults(collection: Collection, query: Query) -> tuple[tuple[str, Any], ...]:
    """The requested fields that have a default, and the key, which is null."""
    asked = {path[0] for path in query.fields} if query.members is None else set()
    found: list[tuple[str, Any]] = []
    for name, column in collection.columns.items():
        if name not in collection.item_fields or not ("*" in asked or name in asked):
            continue
        if name in collection.primary_key:
            found.append((name, None))
            continue
        default = default_value(column.default, collection.fields[name].type)
        if default is not None:
            found.append((name, default))
    return tuple(found)


def _checked(
    model: Model, rights: Rights, caller: Caller, limits: QueryLimits, build: Callable[[Scope], ReadPlan]
) -> ReadPlan:
    if not rights.admin:
        # What is wrong with a value may tell of a field that the caller must not know.
        with suppress(InvalidQuery):
            build(Scope(model, ADMINISTRATOR, caller, limits))
    return build(Scope(model, rights, caller, limits))


def _list(scope: Scope, name: str, query: Query, keys: Sequence[str] | None, *, single: bool) -> ReadPlan:
    collection = scope.collection(name)
    row = scope.row(collection)
    if query.aggregated:
        return _groups(scope, collection, row, query, keys, single=single)
    level, names = _level(scope, collection, row, query)
    matching = _matching(scope, collection, row, query, keys)
    where = both(row_rule(scope, collection, row, names), matching)
    cursor = "cursor" in query.meta and not single
    sort = query.root.sort or default_sort(scope, collection)
    if cursor or query.after is not None:
        sort = with_key(collection, sort)
    ordering = Ordering(scope, collection, row)
    order = () if single and keys is not None else ordering.keys(sort)
    limit, offset = window(scope, query.root)
    if keys is not None:
        limit, offset = _few(query, len(keys), single=single, window=(limit, offset))
    after = None if query.after is None else behind(order, query.after, collection)
    page = Page(row, where, tuple(ordering.joins.values()), (), order, limit, offset, after)
    meta = _meta(scope, collection, query, keys)
    return ReadPlan(name, page, level, single, meta, cursor=cursor)


def _level(scope: Scope, collection: Collection, row: Row, query: Query) -> tuple[Level, tuple[str, ...]]:
    """The answer's level, and the fields it speaks of."""
    if query.members is not None:
        return MemberLevels(scope).level(collection, row, query.members), field_names(query.members)
    selection = Selection(scope, query.backlink)
    wanted = selection.wanted(collection, query.fields, query.root, ())
    return selection.level(collection, row, wanted, query.root, ()), _names(wanted)


def _few(query: Query, keys: int, *, single: bool, window: tuple[int, int]) -> tuple[int, int]:
    """The window on items that are named by their keys."""
    if single:
        # A key finds one row at most, so only a limit of 0 limits anything.
        return (0 if query.root.limit == 0 else -1), 0
    return (keys if query.bare or query.root.limit is None else window[0]), window[1]


def _groups(
    scope: Scope, collection: Collection, row: Row, query: Query, keys: Sequence[str] | None, *, single: bool
) -> ReadPlan:
    # A rule that goes along relations says which rows there are, never how often they count.
    matching, multiplied = multiplying(_matching(scope, collection, row, query, keys))
    joined = Joined(scope, collection, row, multiplied)
    groups = plan_groups(joined, query)
    order = group_order(scope, collection, query, groups, query.root.sort)
    names = tuple(_field_of(collection, entry) for entry in query.group or ())
    where = both(row_rule(scope, collection, row, names), matching)
    limit, offset = window(scope, query.root)
    page = Page(row, where, tuple(joined.joins.values()), multiplied, order, limit, offset)
    return ReadPlan(collection.name, page, groups, single, _meta(scope, collection, query, keys))


def _field_of(collection: Collection, entry: str) -> str:
    """The field of the collection itself that a group key begins with."""
    step = split_path(entry)[0]
    call = function_call(step, collection)
    return step.partition(":")[0] if call is None else function_field(call)


def _limited(rule: Predicate | None, matching: Predicate | None) -> Predicate | None:
    """Both; a rule that what is asked for keeps to by itself adds nothing."""
    given = set(matching.members if isinstance(matching, Both) else (matching,))
    for member in rule.members if isinstance(rule, Either) else (rule,):
        if given.issuperset(member.members if isinstance(member, Both) else (member,)):
            return matching
    return both(rule, matching)


def _names(wanted: dict[str, Wanted]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entry.name for entry in wanted.values()))


def _matching(
    scope: Scope, collection: Collection, row: Row, query: Query, keys: Sequence[str] | None
) -> Predicate | None:
    return both(
        None if keys is None else _keys(scope, collection, row, keys),
        compile_filter(scope, query.root.filter, collection, row),
        search_predicate(scope, collection, row, query.root.search),
    )


def _meta(
    scope: Scope, collection: Collection, query: Query, keys: Sequence[str] | None
) -> tuple[tuple[str, Counting], ...]:
    counts = []
    for name in query.meta:
        if name == "cursor":
            continue
        row = scope.row(collection)
        rows = row_rule(scope, collection, row)
        if name == "filter_count":
            rows = both(rows, _matching(scope, collection, row, query, keys))
        counts.append((name, Counting(row, rows)))
    return tuple(counts)


def _keys(scope: Scope, collection: Collection, row: Row, keys: Sequence[str]) -> Predicate:
    """The rows with these keys, or with the one key left open when there are none."""
    if not collection.primary_key:
        raise Forbidden()
    for name in collection.primary_key:
        scope.field(collection, name)
    parts = [key_parts(collection, str(key)) for key in keys]
    refs = [scope.ref(row, collection, name) for name in collection.primary_key]
    if not parts:
        return both(*(Compare("eq", ref, KeyPart(index)) for index, ref in enumerate(refs))) or Truth(True)
    if len(refs) == 1:
        return Compare("in", refs[0], Values(tuple(key[0] for key in parts)))
    return either(
        *(
            both(*(Compare("eq", ref, Value(text)) for ref, text in zip(refs, key, strict=True)))
            for key in parts
        )
    ) or Truth(True)


def _possible(base: str, text: str) -> bool:
    """Whether a text can be a value of a key's type."""
    if "\x00" in text:
        return False
    if base in _RANGES:
        return bool(_INTEGER.fullmatch(text)) and -_RANGES[base] <= int(text[:30]) < _RANGES[base]
    if base == "uuid":
        try:
            UUID(text)
        except ValueError:
            return False
    return True
