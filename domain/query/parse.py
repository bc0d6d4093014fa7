"""Raw parameters to a :class:`Query`: notations are resolved and shapes are checked, names are not."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from domain.errors import InvalidQuery
from domain.query.filters import EVERYTHING, Filter, parse_filter, parse_json
from domain.query.limits import QueryLimits
from domain.query.query import Export, Meta, Parameters, Query, Sort

AGGREGATES = frozenset(
    {"count", "countDistinct", "countAll", "sum", "sumDistinct", "avg", "avgDistinct", "min", "max"}
)

# What says how an answer looks rather than which items are in it.
_OF_ANSWERS = frozenset({"aggregate", "alias", "backlink", "deep", "export", "groupBy", "meta"})


def for_keys(raw: Mapping[str, Any], key: Sequence[str]) -> dict[str, Any]:
    """A query, as it was sent, that gives only the keys of the items it finds: no groups, no sums."""
    kept = {name: value for name, value in raw.items() if name not in _OF_ANSWERS}
    return {**kept, "fields": list(key)}


def parse_query(raw: Mapping[str, Any], limits: QueryLimits) -> Query:
    """The query that raw parameters (of a query string or a SEARCH body) stand for.

    Raises:
        InvalidQuery: for the first parameter that can't be understood.
    """
    query = Query(
        fields=_fields(raw.get("fields"), limits),
        root=Parameters(
            filter=_filter(raw.get("filter"), limits),
            sort=_sort(raw.get("sort"), limits),
            limit=_limit(raw.get("limit"), limits, bool(raw)),
            offset=_count(raw.get("offset"), "offset"),
            page=_count(raw.get("page"), "page"),
            search=_search(raw.get("search")),
            alias=_alias(_json(raw.get("alias"), "alias")),
            levels=_deep(raw.get("deep"), limits),
        ),
        aggregate=_aggregate(_json(raw.get("aggregate"), "aggregate")),
        group=_group(raw.get("groupBy")),
        meta=_meta(raw.get("meta")),
        export=_export(raw.get("export")),
        version=_word(raw.get("version")),
        version_raw="versionRaw" in raw and raw["versionRaw"] not in (False, "false"),
        backlink=raw.get("backlink") not in (False, "false"),
        after=_word(raw.get("after")),
        bare=not raw,
    )
    if query.terms > limits.terms:
        raise InvalidQuery(f"The query names more than {limits.terms} fields, keys and conditions")
    return query


def split_list(text: str) -> list[str]:
    """``a,b`` at its commas, those inside parentheses left alone."""
    entries, depth, start = [], 0, 0
    for position, character in enumerate(text):
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == "," and depth <= 0:
            entries.append(text[start:position])
            start = position + 1
    entries.append(text[start:])
    return entries


def split_path(text: str) -> tuple[str, ...]:
    """``a.b`` at its dots, those inside parentheses left alone."""
    if "(" not in text:
        return tuple(text.split("."))
    steps, depth, start = [], 0, 0
    for position, character in enumerate(text):
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == "." and depth <= 0:
            steps.append(text[start:position])
            start = position + 1
    steps.append(text[start:])
    return tuple(steps)


def _texts(value: Any, parameter: str, *, trim: bool = True, nested: bool = True) -> list[str]:
    """The entries of a list parameter: text, or list of texts, each possibly holding several."""
    if value is None:
        return []
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)) or not all(isinstance(entry, str) for entry in given):
        raise InvalidQuery(f'"{parameter}" has to be a string or a list of strings')
    split = split_list if nested else (lambda text: text.split(","))
    entries = [part for entry in given for part in split(entry)]
    return [entry.strip() for entry in entries] if trim else entries


def _path(text: str, parameter: str, limits: QueryLimits) -> tuple[str, ...]:
    if not text:
        raise InvalidQuery(f'"{parameter}" holds an empty entry')
    if "\x00" in text:
        raise InvalidQuery(f'"{parameter}" holds a NUL character')
    path = split_path(text)
    if len(path) > limits.depth:
        raise InvalidQuery(f'Max relational depth exceeded in "{parameter}": "{text}"')
    return path


def _fields(value: Any, limits: QueryLimits) -> tuple[tuple[str, ...], ...]:
    entries = _texts(value, "fields")
    if not entries or entries == [""]:
        return (("*",),)
    return tuple(dict.fromkeys(_path(entry, "fields", limits) for entry in entries))


def _sort(value: Any, limits: QueryLimits) -> tuple[Sort, ...]:
    entries = _texts(value, "sort")
    if entries in ([], [""]):
        return ()
    keys = []
    for entry in entries:
        descending = entry.startswith("-")
        keys.append(Sort(_path(entry[1:] if descending else entry, "sort", limits), descending))
    return tuple(keys)


def _filter(value: Any, limits: QueryLimits) -> Filter | None:
    value = _json(value, "filter")
    if value is None:
        return None
    parsed = parse_filter(value, depth=limits.depth)
    return None if parsed == EVERYTHING else parsed


def _json(value: Any, parameter: str) -> Any:
    if not isinstance(value, str):
        return value
    return parse_json(value, parameter) if value.strip() else None


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?)|0[xX][0-9a-fA-F]+")


def number(value: Any) -> float | int | None:
    """What JavaScript's ``Number()`` makes of a value, None where that is NaN or infinite."""
    if isinstance(value, (bool, int)):
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _number(value.strip()) if isinstance(value, str) else None


def _number(text: str) -> float | int | None:
    if not text:
        return 0
    if not _NUMBER.fullmatch(text):
        return None
    if text[:2] in ("0x", "0X"):
        return int(text, 16)
    if len(text) < 300 and text.lstrip("+-").isdecimal():
        return int(text)
    result = float(text)
    return result if math.isfinite(result) else None


def _integer(value: Any, parameter: str, least: int) -> int | None:
    if value is None:
        return None
    result = number(value)
    if result is None or isinstance(value, bool) or result != int(result) or not least <= result < 2**63:
        raise InvalidQuery(f'"{parameter}" has to be a whole number of at least {least}')
    return int(result)


def _limit(value: Any, limits: QueryLimits, asked: bool) -> int | None:
    result = _integer(value, "limit", -1)
    if not asked:
        # Without any parameter the maximum is not looked at: see section 4 of the contract.
        return limits.default
    if result is not None and 0 <= limits.maximum < result:
        raise InvalidQuery(f'"limit" can\'t be greater than {limits.maximum}')
    return result


def _count(value: Any, parameter: str) -> int | None:
    return _integer(value, parameter, 0)


def _search(value: Any) -> str | None:
    """The search term; whitespace alone is kept as it is, anything but text is no term."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or value == "":
        return None
    if "\x00" in value:
        raise InvalidQuery('"search" holds a NUL character')
    return value.strip() or value


def _alias(value: Any) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidQuery('"alias" has to be an object')
    for name, target in value.items():
        if not isinstance(target, str) or not target or not name:
            raise InvalidQuery('"alias" has to map names to field names')
        if "\x00" in name:
            raise InvalidQuery('"alias" holds a NUL character')
        if "." in name or ("." in target and "(" not in target):
            raise InvalidQuery('"alias" can\'t hold a dot')
    return dict(value)


def _deep(value: Any, limits: QueryLimits) -> Mapping[str, Parameters]:
    if isinstance(value, str):
        try:
            value = parse_json(value, "deep")
        except InvalidQuery:
            return {}
    if not isinstance(value, Mapping):
        return {}
    return {name: _level(entry, limits, 1) for name, entry in value.items() if isinstance(entry, Mapping)}


def _level(raw: Mapping[str, Any], limits: QueryLimits, nesting: int) -> Parameters:
    if nesting > limits.depth:
        raise InvalidQuery('Max relational depth exceeded in "deep"')
    own = {name: value for name, value in raw.items() if name.startswith("_")}
    return Parameters(
        filter=_filter(own.get("_filter"), limits),
        sort=_sort(own.get("_sort"), limits),
        limit=_integer(own.get("_limit"), "deep._limit", -1),
        offset=_count(own.get("_offset"), "deep._offset"),
        page=_count(own.get("_page"), "deep._page"),
        search=_search(own.get("_search")),
        alias=_alias(_json(own.get("_alias"), "deep._alias")),
        levels={
            name: _level(value, limits, nesting + 1)
            for name, value in raw.items()
            if not name.startswith("_") and isinstance(value, Mapping)
        },
    )


def _aggregate(value: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise InvalidQuery('"aggregate" has to be an object')
    functions = []
    for function, given in value.items():
        if function not in AGGREGATES:
            raise InvalidQuery(f'Unknown aggregate function "{function}"')
        indexed = isinstance(given, Mapping) and all(str(key).isdecimal() for key in given)
        fields = list(given.values()) if indexed else given
        names = _texts(fields, "aggregate", trim=False)
        if not names or "" in names:
            raise InvalidQuery(f'"aggregate.{function}" needs a field')
        functions.append((str(function), tuple(dict.fromkeys(names))))
    return tuple(functions)


def _group(value: Any) -> tuple[str, ...] | None:
    entries = _texts(value, "groupBy")
    if not entries or entries == [""]:
        return None
    if "" in entries:
        raise InvalidQuery('"groupBy" holds an empty entry')
    return tuple(dict.fromkeys(entries))


def _meta(value: Any) -> tuple[Meta, ...]:
    names = _texts(value, "meta", trim=False)
    if names in ([], [""]):
        return ()
    if "*" in names:
        return ("total_count", "filter_count")
    known: tuple[Meta, ...] = get_args(Meta)
    for name in names:
        if name not in known:
            raise InvalidQuery(f'Unknown "meta" entry "{name}"')
    return tuple(name for name in known if name in names)


def _export(value: Any) -> Export | None:
    if value is None:
        return None
    for name in get_args(Export):
        if value == name:
            return name  # type: ignore[no-any-return]
    raise InvalidQuery('"export" has to be one of csv, csv_utf8, json, xml, yaml')


def _word(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    raise InvalidQuery("A parameter given once is given several times")
