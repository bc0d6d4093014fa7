"""Items as YAML in block style: texts plain where that is safe, else in single quotes, ``|`` for more lines.

Lines are folded at 80 characters. Texts that a reader would take for another type (``yes``, ``12``,
``2024-01-01``) are quoted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

STEP = 2
WIDTH = 80
_AMBIGUOUS = re.compile(
    r"(?:~|null|Null|NULL|true|True|TRUE|false|False|FALSE"
    r"|y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF"
    r"|[-+]?0b[01_]+|[-+]?0x[0-9a-fA-F_]+|[-+]?0o[0-7_]+|[-+]?[0-9][0-9_]*"
    r"|[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9_]+(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|<<|="
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
    r"(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?)"
)
_UNSAFE_FIRST = frozenset("-?:,[]{}#&*!|=>'\"%@` \t\n")
_UNPRINTABLE = re.compile("[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def dump(value: Any) -> str:
    """The value as a YAML document."""
    if isinstance(value, (list, Mapping)) and value:
        return "\n".join(_block(value, 0)) + "\n"
    return _inline(value, 0) + "\n"


def _block(value: Any, level: int) -> Iterator[str]:
    pad = " " * (STEP * level)
    if isinstance(value, Mapping):
        for name, entry in value.items():
            head = f"{pad}{_scalar(str(name), level)}:"
            if isinstance(entry, (list, Mapping)) and entry:
                yield head
                yield from _block(entry, level + 1)
            else:
                yield f"{head} {_inline(entry, level + 1)}"
        return
    for entry in value:
        if isinstance(entry, (list, Mapping)) and entry:
            # The first line of the entry stands behind the dash.
            lines = "\n".join(_block(entry, level + 1))
            yield f"{pad}- {lines[STEP * (level + 1) :]}"
        else:
            yield f"{pad}- {_inline(entry, level + 1)}"


def _inline(value: Any, level: int) -> str:
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, list):
        return "[]"
    if isinstance(value, Mapping):
        return "{}"
    return _scalar(value, level) if isinstance(value, str) else json.dumps(value)


def _scalar(text: str, level: int) -> str:
    if not text:
        return "''"
    if _UNPRINTABLE.search(text):
        return json.dumps(text, ensure_ascii=True)
    indent = STEP * max(1, level)
    width = max(min(WIDTH, 40), WIDTH - indent)
    foldable = any(len(line) > width and not line.startswith(" ") for line in text.split("\n"))
    if "\n" not in text and not foldable:
        return text if _plain(text) else "'" + text.replace("'", "''") + "'"
    body = _folded(text, width) if foldable else text
    body = body.removesuffix("\n")
    lines = [" " * indent + line if line else "" for line in body.split("\n")]
    return (">" if foldable else "|") + _header(text) + "\n" + "\n".join(lines)


def _plain(text: str) -> bool:
    if text[0] in _UNSAFE_FIRST or text[-1] in " \t:" or _AMBIGUOUS.fullmatch(text):
        return False
    return ": " not in text and " #" not in text and ":\t" not in text and "\t#" not in text


def _header(text: str) -> str:
    indicator = str(STEP) if text.lstrip("\n").startswith(" ") else ""
    if not text.endswith("\n"):
        return indicator + "-"
    return indicator + ("+" if text == "\n" or text.endswith("\n\n") else "")


def _folded(text: str, width: int) -> str:
    first, *rest = re.split(r"(\n+)", text)
    result = _fold(first, width)
    indented = text[0] in "\n "
    for breaks, line in zip(rest[::2], rest[1::2], strict=True):
        further = line.startswith(" ")
        extra = "\n" if not indented and not further and line else ""
        result += breaks + extra + _fold(line, width)
        indented = further
    return result


def _fold(line: str, width: int) -> str:
    if not line or line[0] == " ":
        return line
    parts = []
    start = current = 0
    for match in re.finditer(r" (?=[^ ])", line):
        following = match.start()
        if following - start > width:
            end = current if current > start else following
            parts.append(line[start:end])
            start = end + 1
        current = following
    if len(line) - start > width and current > start:
        parts += [line[start:current], line[current + 1 :]]
    else:
        parts.append(line[start:])
    return "\n".join(parts)
