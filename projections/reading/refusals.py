"""Errors of PostgreSQL in reads: an operand that its column can't take is a bad query."""

from __future__ import annotations

import psycopg

from domain.errors import ActaError, InvalidQuery
from projections.errors import translate, unreadable

# 42804 datatype_mismatch, 42846 cannot_coerce, 42883 undefined_function, 42725 ambiguous_function, 42704
# undefined_object (an array of arrays): an operator on a type that does not have it. 54xxx: a statement
# beyond PostgreSQL's own limits.
_MISUSED = frozenset(
    {"42804", "42846", "42883", "42725", "42704", "42P18", "54001", "54011", "54023", "54000"}
)


def refusal(error: psycopg.Error) -> ActaError:
    """The error that a read is answered with."""
    state = error.sqlstate
    if state is not None and (state[:2] == "22" or state in _MISUSED or unreadable(error)):
        return InvalidQuery(_reason(error))
    return translate(error)


def _reason(error: psycopg.Error) -> str:
    return (error.diag.message_primary or "A value does not fit its field").rstrip(".")
