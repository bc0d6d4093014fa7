"""SQL expressions that come with a snapshot: of checks and of generated columns.

They were written by a catalog and come back by way of a client, so they are held to what a catalog writes:
one expression, which can't end early. What it may call is for the database to say, see
`projections.schema.checks`.
"""

from __future__ import annotations

import re

from domain.errors import InvalidPayload

LONGEST = 10_000
_TOKEN = re.compile(
    r"""
    \s+
    | '(?:[^']|'')*'                # a text
    | "(?:[^"]|"")+"                # a quoted name
    | [BX]'[0-9A-F]*'               # bits
    | [^\W\d]\w*(?!\w*')            # a name or keyword; none that changes how a text behind it is read
    | \d[\w.]*                      # a number
    | (?!--|/\*)[-+*/<>=~!@\#%^&|?.,:()\[\]]
    """,
    re.VERBOSE,
)
_ELEMENT = re.compile(r"'(?:[^']|'')*'::character varying")
_CAST_ARRAY = re.compile(rf"\(ARRAY\[({_ELEMENT.pattern}(?:, {_ELEMENT.pattern})*)\]\)::text\[\]")
_CLOSING = {")": "(", "]": "["}


def checked_expression(text: object, what: str) -> str:
    """The text of one expression; ``what`` is how to call it.

    Raises:
        InvalidPayload: for anything that is no expression, or more than one.
    """
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST or not _whole(text):
        raise InvalidPayload(f"{what} is no expression")
    return text


def settled(text: str) -> str:
    """An expression of the catalog as the catalog writes it once it has read what it wrote.

    ``status IN ('a', 'b')`` on a ``varchar`` is written with one cast of the array, and read as one of each
    of its elements.
    """
    return _CAST_ARRAY.sub(_cast_elements, text)


def _cast_elements(found: re.Match[str]) -> str:
    elements = ", ".join(f"({element[0]})::text" for element in _ELEMENT.finditer(found[1]))
    return f"ARRAY[{elements}]"


def _whole(text: str) -> bool:
    """Whether a text is tokens only, and every bracket has its other half."""
    place, still_open = 0, []
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            return False
        token, place = found[0], found.end()
        if token in _CLOSING.values():
            still_open.append(token)
        elif token in _CLOSING and (not still_open or still_open.pop() != _CLOSING[token]):
            return False
    return not still_open
