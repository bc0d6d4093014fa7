"""What of a run's data is written down: without the secrets of its trigger and of the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REDACTED = "--redacted--"
_HEADERS = frozenset({"authorization", "cookie"})
_PAYLOAD = re.compile(r"password|token|tfa_secret|external_identifier|auth_data|credentials|ai_\w+_api_key")


def redacted(value: Any, environment: Mapping[str, Any]) -> Any:
    """A copy without secrets: authorisation and cookies, tokens in queries, passwords in payloads, and the
    values of the environment wherever they stand."""
    secrets = {
        str(text): f"--redacted:{name}--" for name, text in environment.items() if text not in (None, "")
    }
    return _walk(value, (), secrets)


def _walk(value: Any, path: tuple[str, ...], secrets: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {
            name: REDACTED if _secret((*path, str(name))) else _walk(member, (*path, str(name)), secrets)
            for name, member in value.items()
        }
    if isinstance(value, list):
        return [_walk(member, path, secrets) for member in value]
    if isinstance(value, str):
        for text, mark in secrets.items():
            value = value.replace(text, mark)
    return value


def _secret(path: tuple[str, ...]) -> bool:
    if len(path) < 2:
        return False
    parent, name = path[-2], path[-1]
    return (
        (parent == "headers" and name.lower() in _HEADERS)
        or (parent == "query" and name == "access_token")
        or (parent == "payload" and _PAYLOAD.fullmatch(name) is not None)
    )
