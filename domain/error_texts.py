"""The longer texts of errors, for people and free to change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_VALIDATION_TEXTS: Mapping[str, str] = {
    "eq": "Value has to be {valid}.",
    "in": "Value has to be one of {valid}.",
    "lt": "Value has to be less than {valid}.",
    "lte": "Value has to be less than or equal to {valid}.",
    "gt": "Value has to be greater than {valid}.",
    "gte": "Value has to be greater than or equal to {valid}.",
    "neq": "Value can't be {invalid}.",
    "nin": "Value can't be one of {invalid}.",
    "contains": "Value has to contain {substring}.",
    "ncontains": "Value can't contain {substring}.",
    "nnull": "Value can't be null.",
    "null": "Value has to be null.",
    "empty": "Value has to be empty.",
    "nempty": "Value can't be empty.",
    "required": "Value is required.",
    "regex": "Value doesn't have the correct format.",
    "email": "Value has to be a valid email address.",
}


def validation_message(field: str, rule: str, path: Sequence[str], details: Mapping[str, Any]) -> str:
    """What a failed rule tells a person."""
    where = f' at "{".".join(path)}"' if path else ""
    text = _VALIDATION_TEXTS.get(rule, "").format(**{name: _quoted(value) for name, value in details.items()})
    return f'Validation failed for field "{field}"{where}. {text}'.rstrip()


def _quoted(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(f'"{entry}"' for entry in value)
    return f'"{value}"'
