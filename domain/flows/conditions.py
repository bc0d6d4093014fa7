"""The condition operation: a filter held against the whole data of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.errors import FailedValidation, InvalidPayload
from domain.items.rules import failures


def check(condition: Any, data: Mapping[str, Any]) -> list[FailedValidation]:
    """What of a filter the data does not meet; every name in it has to be there.

    Raises:
        InvalidPayload: for a filter that says nothing.
    """
    if not isinstance(condition, Mapping) or not condition:
        raise InvalidPayload("The condition is empty")
    return [*_missing(condition, data, ()), *failures(condition, data)]


def _missing(condition: Any, data: Any, path: tuple[str, ...]) -> list[FailedValidation]:
    found: list[FailedValidation] = []
    if not isinstance(condition, Mapping):
        return found
    for name, member in condition.items():
        if name == "_and" and isinstance(member, list):
            for branch in member:
                found += _missing(branch, data, path)
        elif name.startswith("_"):
            continue
        elif not isinstance(data, Mapping) or name not in data:
            found.append(FailedValidation(name, "required", path))
        else:
            found += _missing(member, data[name], (*path, name))
    return found
