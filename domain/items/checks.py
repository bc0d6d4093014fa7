"""Whether a caller may send a payload, and whether it is valid: before anything is written.

Order: a rule for the action exists, the rules' fields cover every member, presets go under the payload, then
all of the validation (required, null, the fields' own rules, the permissions' rules), reported together.
Full-access callers skip the first three; what they name beyond the collection's fields is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from domain.access.command import Command
from domain.access.rights import Rule
from domain.access.secrets import MASK, masked_error
from domain.errors import ActaError, ErrorGroup, FailedValidation, Forbidden
from domain.items.dynamic import resolved
from domain.items.rules import failures
from domain.items.shape import Shape
from domain.model import Field

Action = Literal["create", "update"]


def accepted(shape: Shape, command: Command, action: Action, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload with presets under it and without unknown members.

    Raises:
        Forbidden: for a collection or field the caller's rules don't cover.
    """
    known = shape.collection.item_fields
    if action == "update" and shape.never_shown:
        payload = {
            name: value
            for name, value in payload.items()
            if not (value == MASK and name in shape.never_shown)
        }
    if command.rights.admin:
        return _known(payload, known)
    rules = _rules(shape, command, action)
    if not any(rule.fields is None for rule in rules):
        refused = [name for name in payload if not any(rule.covers(name) for rule in rules)]
        if refused:
            raise Forbidden.fields(shape.name, refused)
    presets: dict[str, Any] = {}
    for rule in rules:
        if rule.presets:
            presets |= rule.presets
    if presets:
        payload = {**resolved(presets, command.caller), **payload}
    return _known(payload, known)


def _known(payload: Mapping[str, Any], known: Mapping[str, Field]) -> dict[str, Any]:
    if payload.keys() <= known.keys():
        return dict(payload)
    return {name: value for name, value in payload.items() if name in known}


def validate(
    shape: Shape, command: Command, action: Action, payload: Mapping[str, Any], path: Sequence[str] = ()
) -> None:
    """Check an accepted payload.

    Raises:
        ErrorGroup: holding every failed rule.
    """
    found: list[ActaError] = []
    if action == "create" and not payload.keys() >= shape.required_names:
        found += [
            FailedValidation(name, "required", path) for name in shape.ordered_required if name not in payload
        ]
    if None in payload.values():
        not_null = shape.not_null
        found += [
            FailedValidation(name, "nnull", path)
            for name, value in payload.items()
            if value is None
            and name in not_null
            and not (action == "update" and name in shape.collection.primary_key)
        ]
    for rule in shape.validations:
        found += failures(resolved(rule, command.caller), payload, path)
    if not command.rights.admin:
        for permission in command.rights.of(shape.name, action):
            if permission.validation:
                found += failures(resolved(permission.validation, command.caller), payload, path)
    if found:
        raise ErrorGroup([_without_secret(shape, error) for error in found])


def _without_secret(shape: Shape, error: ActaError) -> ActaError:
    field = shape.collection.fields.get(str(error.extensions.get("field")))
    return masked_error(error, secret=field is not None and field.secret)


def permit(shape: Shape, command: Command, action: Literal["create", "update", "delete"]) -> None:
    """Refuse a collection that the caller may not write to at all, or that nobody can.

    Raises:
        Forbidden: without a rule, and for collections without a table or key.
    """
    if not command.rights.may(shape.name, action) or not shape.collection.writable:
        raise Forbidden.collection(shape.name)


def covering(shape: Shape, command: Command, names: Sequence[str]) -> list[list[Rule]] | None:
    """What each row must meet to be updated: of each list at least one rule; None for no condition.

    Every named field has to be granted in the row; without names any rule will do. ``[[]]`` is never met.
    """
    if command.rights.admin:
        return None
    rules = command.rights.of(shape.name, "update")
    groups = [[rule for rule in rules if rule.covers(name)] for name in names] if names else [list(rules)]
    return [group for group in groups if not any(not rule.filter for rule in group)] or None


def deletable(shape: Shape, command: Command) -> list[list[Rule]] | None:
    """What each row must meet to be deleted; as :func:`covering`."""
    if command.rights.admin:
        return None
    rules = list(command.rights.of(shape.name, "delete"))
    return None if any(not rule.filter for rule in rules) else [rules]


def _rules(shape: Shape, command: Command, action: Action) -> tuple[Rule, ...]:
    rules = command.rights.of(shape.name, action)
    if not rules:
        raise Forbidden.collection(shape.name)
    return rules
