"""What of a run's data is written down: without the secrets of its trigger and of the environment.

Secrets are known by where they stand (authorisation and cookies, tokens in queries, passwords in payloads),
and by the model, which tells the secret fields of what is written. What stood in such a place is taken out
everywhere else too: operations hand on what they were given.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from domain.flows.templates import resolve
from domain.items.secrets import secrets_in
from domain.log_lines import REDACTED
from domain.model.schema import Model

SHORTEST: Final = 4
"""Shorter texts are left alone where they stand by chance."""
_HEADERS = frozenset({"authorization", "cookie"})
_PAYLOAD = re.compile(r"password|token|tfa_secret|external_identifier|auth_data|credentials|ai_\w+_api_key")


def redacted(value: Any, environment: Mapping[str, Any], secrets: Collection[str] = ()) -> Any:
    """A copy without secrets; ``secrets`` are further texts, and the values of the environment are marked
    with their names."""
    marks = dict.fromkeys((*secrets, *_placed(value, ())), REDACTED)
    marks |= {
        str(text): f"--redacted:{name}--" for name, text in environment.items() if text not in (None, "")
    }
    # Of texts that hold each other the longer one first.
    return _walk(value, (), sorted(marks.items(), key=lambda entry: -len(entry[0])))


def secret_texts(model: Model, trigger: Any) -> frozenset[str]:
    """The texts in a trigger's payload that its collection's secret fields are given; of a letter the link,
    which may let its reader in."""
    if not isinstance(trigger, Mapping):
        return frozenset()
    if trigger.get("event") == "email.send":
        return frozenset(_texts(resolve("payload.template.data.url", trigger)))
    if not isinstance(trigger.get("collection"), str):
        return frozenset()
    found = secrets_in(model, trigger["collection"], trigger.get("payload"))
    return frozenset(text for _, value in found for text in _texts(value))


def _placed(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, member in value.items():
            inner = (*path, str(name))
            if not _secret(inner):
                yield from _placed(member, inner)
            elif inner[-2] == "headers":
                yield from _tokens(str(name), str(member))
            else:
                yield from _texts(member)
    elif isinstance(value, list):
        for entry in value:
            yield from _placed(entry, path)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) >= SHORTEST:
            yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry)


def _tokens(header: str, value: str) -> Iterator[str]:
    """What a header of authorisation or cookies lets its bearer do."""
    parts = value.split(";") if header.lower() == "cookie" else [value]
    for part in parts:
        yield from _texts(part.strip().partition("=" if header.lower() == "cookie" else " ")[2])


def _walk(value: Any, path: tuple[str, ...], marks: list[tuple[str, str]]) -> Any:
    if isinstance(value, Mapping):
        return {
            name: REDACTED if _secret((*path, str(name))) else _walk(member, (*path, str(name)), marks)
            for name, member in value.items()
        }
    if isinstance(value, list):
        return [_walk(member, path, marks) for member in value]
    if isinstance(value, str):
        for text, mark in marks:
            value = value.replace(text, mark)
    return value


def _secret(path: tuple[str, ...]) -> bool:
    if len(path) < 2:
        return False
    parent, name = path[-2], path[-1]
    return (
        (parent == "headers" and name.lower() in _HEADERS)
        or (parent == "query" and name == "access_token")
        or ("payload" in path[:-1] and _PAYLOAD.fullmatch(name) is not None)
    )
