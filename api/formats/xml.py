"""Items as XML: a root ``<data>`` with one ``<data>`` per row, lists as repeated elements, null as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

INDENT = "    "
_NOT_IN_NAMES = re.compile(r"[^\w.-]")
# XML 1.0 has no way to write these at all.
_NOT_IN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def dump(value: Any) -> str:
    """Rows, or one row, as an XML document."""
    content = {"data": value} if isinstance(value, list) else value
    return "\n".join(["<?xml version='1.0'?>", *_element("data", content, "")])


def _element(name: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        children = [
            line for key, entry in value.items() for line in _entries(_name(key), entry, indent + INDENT)
        ]
        if not children:
            yield f"{indent}<{name}/>"
            return
        yield f"{indent}<{name}>"
        yield from children
        yield f"{indent}</{name}>"
        return
    text = _text(value)
    yield f"{indent}<{name}>{text}</{name}>" if text else f"{indent}<{name}/>"


def _entries(name: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, list):
        for entry in value:
            yield from _entries(name, entry, indent)
    else:
        yield from _element(name, value, indent)


def _name(text: str) -> str:
    name = _NOT_IN_NAMES.sub("_", text)
    return name if name[:1].isalpha() or name[:1] == "_" else f"_{name}"


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    text = _NOT_IN_TEXT.sub("", str(value))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("]]>", "]]&gt;")
