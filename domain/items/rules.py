"""Validation rules: a filter, evaluated on a payload instead of on rows.

A member that the payload lacks meets every rule except ``_submitted``. A value of the wrong kind (null, a
number where a rule speaks of text) fails as ``required``, whatever the rule. Comparisons are loose where the
wire is: ``5`` and ``"5"`` are the same value. An ``_or`` without a passing branch reports the failures of
all its branches.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

from domain.errors import FailedValidation

Failure: TypeAlias = tuple[str, dict[str, Any]]
Check: TypeAlias = Callable[[Any, Any], Failure | None]

_FUNCTION = re.compile(r"(\w+)\((\w+)\)")
_NUMERIC = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_REQUIRED: Failure = ("required", {})


def failures(
    rule: Mapping[str, Any], payload: Mapping[str, Any], path: Sequence[str] = ()
) -> list[FailedValidation]:
    """What of a rule the payload does not meet; empty when it meets all. Dynamic variables are already
    values."""
    found: list[FailedValidation] = []
    for name, condition in rule.items():
        if name == "_and":
            for branch in _branches(condition):
                found += failures(branch, payload, path)
        elif name == "_or":
            found += _any(_branches(condition), payload, path)
        else:
            found += _field(name, condition, payload, path)
    return found


def _branches(condition: Any) -> list[Mapping[str, Any]]:
    return (
        [branch for branch in condition if isinstance(branch, Mapping)] if isinstance(condition, list) else []
    )


def _any(
    branches: Sequence[Mapping[str, Any]], payload: Mapping[str, Any], path: Sequence[str]
) -> list[FailedValidation]:
    found: list[FailedValidation] = []
    for branch in branches:
        of_branch = failures(branch, payload, path)
        if not of_branch:
            return []
        found += of_branch
    return found


def _field(
    name: str, condition: Any, payload: Mapping[str, Any], path: Sequence[str]
) -> list[FailedValidation]:
    operators = condition if isinstance(condition, Mapping) else {"_eq": condition}
    function = _FUNCTION.fullmatch(name)
    member = function[2] if function else name
    found: list[FailedValidation] = []
    for operator, operand in operators.items():
        if operator == "_submitted":
            if operand is not False and member not in payload:
                found.append(FailedValidation(member, "required", path))
            continue
        if member not in payload:
            continue
        value = payload[member]
        if function:
            value = _part(function[1], value)
        check = _CHECKS.get(operator)
        if check is None:
            found += _nested(operator, operand, value, (*path, member))
            continue
        failure = check(value, operand)
        if failure is not None:
            found.append(FailedValidation(member, failure[0], path, **failure[1]))
    return found


def _nested(name: str, condition: Any, value: Any, path: Sequence[str]) -> list[FailedValidation]:
    """A rule on a member of a nested object; keys and lists are not looked into."""
    return _field(name, condition, value, path) if isinstance(value, Mapping) else []


# --- kinds of values


def as_number(value: Any) -> float | int | None:
    """The number of a JSON number or numeric text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str) and _NUMERIC.fullmatch(value.strip()):
        text = value.strip()
        try:
            return int(text) if text.lstrip("+-").isdigit() and len(text) < 1000 else float(text)
        except ValueError:
            return None
    return None


def _as_moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value / 1000, UTC)
        except (OverflowError, ValueError, OSError):
            return None
    return None


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if value == wanted:
        return True
    left, right = as_number(value), as_number(wanted)
    return left is not None and left == right


def _spellings(values: Sequence[Any]) -> list[Any]:
    """Numbers and numeric texts in both forms, as the answer reports them."""
    found: list[Any] = []
    for value in values:
        number = as_number(value)
        if number is None or isinstance(value, bool):
            found.append(value)
        else:
            found += [number, value if isinstance(value, str) else str(value)]
    return found


# --- the operators


def _one_of(value: Any, wanted: Any) -> Failure | None:
    values = wanted if isinstance(wanted, list) else [wanted]
    if any(_same(value, entry) for entry in values):
        return None
    reported = _spellings(values)
    return ("eq", {"valid": reported[0]}) if len(reported) == 1 else ("in", {"valid": reported})


def _none_of(value: Any, refused: Any) -> Failure | None:
    values = refused if isinstance(refused, list) else [refused]
    if not any(_same(value, entry) for entry in values):
        return None
    reported = _spellings(values)
    return ("neq", {"invalid": reported[0]}) if len(reported) == 1 else ("nin", {"invalid": reported})


def _in(value: Any, wanted: Any) -> Failure | None:
    values = wanted if isinstance(wanted, list) else [wanted]
    if any(_same(value, entry) for entry in values):
        return None
    return ("eq", {"valid": values[0]}) if len(values) == 1 else ("in", {"valid": values})


def _nin(value: Any, refused: Any) -> Failure | None:
    values = refused if isinstance(refused, list) else [refused]
    if not any(_same(value, entry) for entry in values):
        return None
    return ("neq", {"invalid": values[0]}) if len(values) == 1 else ("nin", {"invalid": values})


def _comparison(rule: str, holds: Callable[[Any, Any], bool]) -> Check:
    def check(value: Any, limit: Any) -> Failure | None:
        bound = as_number(limit)
        if bound is not None:
            number = as_number(value)
            if number is None:
                return _REQUIRED
            return None if holds(number, bound) else (rule, {"valid": bound})
        moment, of_value = _as_moment(limit), _as_moment(value)
        if moment is None or of_value is None:
            return _REQUIRED
        return None if holds(of_value, moment) else (rule, {"valid": _instant(moment)})

    return check


def _between(value: Any, bounds: Any) -> Failure | None:
    pair = _pair(bounds)
    return None if pair is None else _CHECKS["_gte"](value, pair[0]) or _CHECKS["_lte"](value, pair[1])


def _nbetween(value: Any, bounds: Any) -> Failure | None:
    pair = _pair(bounds)
    if pair is None:
        return None
    below = _CHECKS["_lt"](value, pair[0])
    return None if below is None or _CHECKS["_gt"](value, pair[1]) is None else below


def _pair(bounds: Any) -> tuple[Any, Any] | None:
    if isinstance(bounds, str):
        bounds = bounds.split(",")
    return (bounds[0], bounds[1]) if isinstance(bounds, list) and len(bounds) == 2 else None


def _text(rule: str, holds: Callable[[str, str], bool], *, fold: bool = False, lists: bool = False) -> Check:
    def check(value: Any, part: Any) -> Failure | None:
        wanted = str(part)
        if lists and isinstance(value, list):
            passed = any(isinstance(entry, str) and holds(entry, wanted) for entry in value)
        elif not isinstance(value, str):
            return _REQUIRED
        elif fold:
            passed = holds(value.lower(), wanted.lower())
        else:
            passed = holds(value, wanted)
        return None if passed else (rule, {"substring": part})

    return check


def _is_null(value: Any, wanted: Any) -> Failure | None:
    if _truth(wanted):
        return None if value is None else ("null", {})
    return ("nnull", {}) if value is None else None


def _is_not_null(value: Any, wanted: Any) -> Failure | None:
    return _is_null(value, not _truth(wanted))


def _is_empty(value: Any, wanted: Any) -> Failure | None:
    if _truth(wanted):
        return None if value in ("", []) else ("empty", {})
    return ("nempty", {}) if value in ("", []) else None


def _is_not_empty(value: Any, wanted: Any) -> Failure | None:
    return _is_empty(value, not _truth(wanted))


def _truth(value: Any) -> bool:
    return value not in (False, "false", 0, "0")


def _regex(value: Any, pattern: Any) -> Failure | None:
    if not isinstance(value, str):
        return _REQUIRED
    compiled = _compiled(str(pattern))
    return None if compiled is not None and compiled.search(value) else ("regex", {"invalid": value})


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        pattern = pattern[1:-1]
    try:
        # JavaScript writes (?<name>...), Python (?P<name>...).
        return re.compile(re.sub(r"\(\?<(?![=!])", "(?P<", pattern))
    except re.error:
        return None


_CHECKS: dict[str, Check] = {
    "_eq": _one_of,
    "_neq": _none_of,
    "_in": _in,
    "_nin": _nin,
    "_gt": _comparison("gt", lambda value, bound: value > bound),
    "_gte": _comparison("gte", lambda value, bound: value >= bound),
    "_lt": _comparison("lt", lambda value, bound: value < bound),
    "_lte": _comparison("lte", lambda value, bound: value <= bound),
    "_between": _between,
    "_nbetween": _nbetween,
    "_contains": _text("contains", lambda value, part: part in value, lists=True),
    "_icontains": _text("contains", lambda value, part: part in value, fold=True, lists=True),
    "_ncontains": _text("ncontains", lambda value, part: part not in value),
    "_starts_with": _text("starts_with", str.startswith),
    "_nstarts_with": _text("nstarts_with", lambda value, part: not value.startswith(part)),
    "_istarts_with": _text("istarts_with", str.startswith, fold=True),
    "_nistarts_with": _text("nistarts_with", lambda value, part: not value.startswith(part), fold=True),
    "_ends_with": _text("ends_with", str.endswith),
    "_nends_with": _text("nends_with", lambda value, part: not value.endswith(part)),
    "_iends_with": _text("iends_with", str.endswith, fold=True),
    "_niends_with": _text("niends_with", lambda value, part: not value.endswith(part), fold=True),
    "_null": _is_null,
    "_nnull": _is_not_null,
    "_empty": _is_empty,
    "_nempty": _is_not_empty,
    "_regex": _regex,
}


# --- functions on a member: year(published), count(tags)


def _part(function: str, value: Any) -> Any:
    if function == "count":
        return len(value) if isinstance(value, list) else None
    moment = _as_moment(value)
    part = _PARTS.get(function)
    return None if moment is None or part is None else part(moment)


_PARTS: dict[str, Callable[[datetime], int]] = {
    "year": lambda moment: moment.year,
    "month": lambda moment: moment.month,
    "week": lambda moment: moment.isocalendar().week,
    "day": lambda moment: moment.day,
    "weekday": lambda moment: moment.isoweekday() % 7,
    "hour": lambda moment: moment.hour,
    "minute": lambda moment: moment.minute,
    "second": lambda moment: moment.second,
}
