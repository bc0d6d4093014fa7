"""The bodies of requests for many items: ``{keys, query, data}`` in its allowed combinations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.errors import InvalidPayload
from domain.model.keys import key_text

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Which items: exactly one of ``keys`` (as texts) and ``query`` is set for writes."""

    keys: list[str] | None = None
    query: Mapping[str, Any] | None = None
    data: Payload | None = None


def read_batch(body: Any) -> Batch:
    """The body of SEARCH: both members are optional."""
    members = _members(body, ("query", "keys"))
    return Batch(_keys(members), _query(members))


def update_batch(body: Any) -> Batch:
    """The object body of PATCH on a list."""
    members = _members(body, ("keys", "query", "data"))
    batch = _selection(members)
    if not isinstance(members.get("data"), dict):
        raise InvalidPayload(
            '"data" is required' if "data" not in members else '"data" must be of type object'
        )
    return Batch(batch.keys, batch.query, members["data"])


def delete_batch(body: Any) -> Batch:
    """The body of DELETE on a list: an array of keys, or an object as for PATCH."""
    if isinstance(body, list):
        return Batch(key_texts(body))
    return _selection(_members(body, ("keys", "query")))


def key_texts(keys: Sequence[Any]) -> list[str]:
    """Keys as the texts by which items are addressed everywhere."""
    return [key_text(key) for key in keys]


def _members(body: Any, allowed: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise InvalidPayload('"value" must be of type object')
    for name in body:
        if name not in allowed:
            raise InvalidPayload(f'"{name}" is not allowed')
    return body


def _selection(members: Mapping[str, Any]) -> Batch:
    given = [name for name in ("query", "keys") if name in members]
    if not given:
        raise InvalidPayload('"value" must contain at least one of [query, keys]')
    if len(given) > 1:
        raise InvalidPayload('"value" contains a conflict between exclusive peers [query, keys]')
    return Batch(_keys(members), _query(members))


def _keys(members: Mapping[str, Any]) -> list[str] | None:
    keys = members.get("keys")
    if "keys" not in members:
        return None
    if not isinstance(keys, list):
        raise InvalidPayload('"keys" must be an array')
    for index, key in enumerate(keys):
        if isinstance(key, bool) or not isinstance(key, (str, int, float)):
            raise InvalidPayload(f'"keys[{index}]" must be one of [string, number]')
    return key_texts(keys)


def _query(members: Mapping[str, Any]) -> Mapping[str, Any] | None:
    query = members.get("query")
    if "query" in members and not isinstance(query, dict):
        raise InvalidPayload('"query" must be of type object')
    return query
