"""The one place where an error of PostgreSQL becomes one of ours: by SQLSTATE, attributed to field and value.

What a client sent wrong is a 400 that names the field; what the database can't do right now is a 503; the
rest is an internal error. Texts of the server are read by structure only (``(columns)=(values)``, ``$3``),
never by words, since servers speak many languages.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg

from domain.access.secrets import masked_error
from domain.errors import (
    ActaError,
    InternalError,
    InvalidForeignKey,
    InvalidPayload,
    NotNullViolation,
    RecordNotUnique,
    ServiceUnavailable,
    UnprocessableContent,
    ValueOutOfRange,
    ValueTooLong,
)
from domain.model import Collection, Model

_log = logging.getLogger(__name__)
_KEY_DETAIL = re.compile(r"\((?P<columns>.+?)\)=\((?P<values>.*)\)", re.DOTALL)
_PARAMETER = re.compile(r"\$(\d+)")
_BARE_COLUMN = re.compile(r'(?:\w+\()*\(*"?(\w+)"?\)*(?:::[\w ]+)?\)*')
_QUOTED = re.compile(r'[«„"“\'](?P<text>[^»“”"\']*)[»“”"\']')


# Undefined tables, columns, types, functions and schemas, types that do not fit, plans to be made anew.
_MISFITS = frozenset({"42P01", "42703", "42704", "42883", "3F000", "42804", "42846", "0A000", "XX000"})


class SchemaChanged(ServiceUnavailable):
    """A statement names what is no longer there: somebody has changed the schema past Acta."""

    def __init__(self, reason: str) -> None:
        super().__init__("database", f"The schema has changed: {reason}")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was being written: the collection, the submitted payloads, the columns in the order of
    parameters."""

    model: Model
    collection: str
    payloads: Sequence[Mapping[str, Any]] = ()
    columns: Sequence[str] = ()


def translate(error: psycopg.Error, attempt: Attempt | None = None) -> ActaError:
    """The error a client is answered with."""
    state = error.sqlstate
    if state is None:
        return _of_driver(error)
    make = _BY_STATE.get(state) or _BY_CLASS.get(state[:2])
    if make in (None, _refused) and _about_a_value(error, attempt):
        make = _unreadable
    if make is None:
        _log.error(
            "the database refused a statement: %s %s", state, error.diag.message_primary, exc_info=error
        )
        return InternalError(error.diag.message_primary or "An unexpected error occurred.")
    return _without_secret(make(error, attempt), attempt)


def _without_secret(found: ActaError, attempt: Attempt | None) -> ActaError:
    place = found.extensions.get("collection")
    collection = attempt.model.collections.get(str(place)) if attempt else None
    field = collection.fields.get(str(found.extensions.get("field"))) if collection else None
    return masked_error(found, secret=field is not None and field.secret)


def _about_a_value(error: psycopg.Error, attempt: Attempt | None) -> bool:
    """Whether a type's own reader complains of a value that was written."""
    if attempt is None or not attempt.payloads:
        return False
    return unreadable(error) or _parameter_column(error, attempt) is not None


def unreadable(error: psycopg.Error) -> bool:
    """Whether a type's own reader complains with the code of wrong statements, as ``tsvector`` does."""
    return error.sqlstate == "42601" and error.diag.statement_position is None


def _of_driver(error: psycopg.Error) -> ActaError:
    """Errors that never reached the server, or lost it on the way."""
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return ServiceUnavailable("database", "the connection was lost")
    if isinstance(error, psycopg.DataError):
        return InvalidPayload(str(error))
    _log.error("the driver failed", exc_info=error)
    return InternalError(str(error))


# --- constraints


def _unique(error: psycopg.Error, attempt: Attempt | None) -> ActaError:
    collection, place = _place(error, attempt)
    columns, values = _key_detail(error)
    field = _first_submitted(columns, attempt)
    return RecordNotUnique(place, field, **_value_of(field, columns, values, attempt, collection))


def _foreign_key(error: psycopg.Error, attempt: Attempt | None) -> ActaError:
    collection, place = _place(error, attempt)
    columns, values = _key_detail(error)
    own = _constrained_columns(collection, error.diag.constraint_name)
    if own and not set(columns) & set(own):
        # A row that others refer to: the detail names its key, the field is the one that refers to it.
        return InvalidForeignKey(place, own[0], **({"value": values[0]} if values else {}))
    field = columns[0] if columns else (own[0] if own else None)
    return InvalidForeignKey(place, field, **_value_of(field, columns, values, attempt, collection))


def _not_null(error: psycopg.Error, attempt: Attempt | None) -> ActaError:
    _, place = _place(error, attempt)
    return NotNullViolation(place, error.diag.column_name or _parameter_column(error, attempt))


def _check(error: psycopg.Error, attempt: Attempt | None) -> ActaError:
    collection, place = _place(error, attempt)
    constraint = error.diag.constraint_name or ""
    field = _parameter_column(error, attempt) or _named_in(constraint, collection, attempt)
    where = f'Field "{field}" in collection "{place}"' if field else f'The item in collection "{place}"'
    return InvalidPayload(f'{where} violates the constraint "{constraint}"')


# --- values


def _too_long(error: psycopg.Error, attempt: Attempt | None) -> ActaError:
    collection, place = _place(error, attempt)
    field = _parameter_column(error, attempt) or _suspect(attempt, collection, _is_too_long(error))
    return ValueTooLong(place, field, **_submitted(field, attempt))


def _out_of_range(error: psycopg.Error, attempt: Attempt | None) -> ActaError:
    collection, place = _place(error, attempt)
    field = _parameter_column(error, attempt) or _suspect(attempt, collection, _is_number)
    return ValueOutOfRange(place, field, **_submitted(field, attempt))


def _unreadable(error: psycopg.Error, attempt: Attempt | None) -> ActaError:
    collection, place = _place(error, attempt)
    message = error.diag.message_primary or ""
    quoted = {match["text"] for match in _QUOTED.finditer(message)}
    if '"' in message:
        quoted.add(message[message.index('"') + 1 : message.rindex('"')])
    field = _parameter_column(error, attempt) or _suspect(
        attempt, collection, lambda _, value: not quoted.isdisjoint(_texts_of(value))
    )
    where = f'Field "{field}" in collection "{place}"' if field else f'A value for collection "{place}"'
    return InvalidPayload(f"{where} can't be read: {error.diag.message_primary}")


def _refused(error: psycopg.Error, _: Attempt | None) -> ActaError:
    return InvalidPayload(error.diag.message_primary or "The database refused the item")


def _generated(error: psycopg.Error, attempt: Attempt | None) -> ActaError:
    _, place = _place(error, attempt)
    quoted = _QUOTED.search(error.diag.message_primary or "")
    field = error.diag.column_name or (quoted["text"] if quoted else None)
    return InvalidPayload(f'Field "{field}" in collection "{place}" is generated and can\'t be written')


# --- conditions of the database


def _conflict(_: psycopg.Error, __: Attempt | None) -> ActaError:
    return ServiceUnavailable("database", "Another transaction is in the way, try again")


def _unavailable(error: psycopg.Error, _: Attempt | None) -> ActaError:
    return ServiceUnavailable("database", error.diag.message_primary or "It can't answer now", retry_after=2)


def _changed_behind(error: psycopg.Error, _: Attempt | None) -> ActaError:
    return SchemaChanged(error.diag.message_primary or "")


def outdated(error: BaseException) -> bool:
    """Whether an error may come of a model that is older than the tables: a statement that does not fit
    them."""
    cause = error.__cause__
    return isinstance(cause, psycopg.Error) and cause.sqlstate in _MISFITS


def _forbidden(error: psycopg.Error, _: Attempt | None) -> ActaError:
    return UnprocessableContent(f"The database refuses it: {error.diag.message_primary}")


# --- attribution


def _place(error: psycopg.Error, attempt: Attempt | None) -> tuple[Collection | None, str]:
    """The collection an error speaks of; partitions and unknown tables count as the one being written."""
    schema, table = error.diag.schema_name, error.diag.table_name
    if attempt is None:
        return None, table or ""
    if table is not None:
        for found in attempt.model.collections.values():
            if found.table == table and found.schema == schema:
                return found, found.name
    return attempt.model.collection(attempt.collection), attempt.collection


def _key_detail(error: psycopg.Error) -> tuple[list[str], list[str]]:
    match = _KEY_DETAIL.search(error.diag.message_detail or "")
    if match is None:
        return [], []
    columns = [_column_name(part) for part in match["columns"].split(", ")]
    values = match["values"].split(", ") if len(columns) > 1 else [match["values"]]
    return columns, values


def _column_name(part: str) -> str:
    """``slug``, ``"Slug"``, ``lower((email)::text)``: the column's name."""
    match = _BARE_COLUMN.fullmatch(part.strip())
    return match[1] if match else part.strip().strip('"')


def _first_submitted(columns: Sequence[str], attempt: Attempt | None) -> str | None:
    if attempt is not None:
        for column in columns:
            if any(column in payload for payload in attempt.payloads):
                return column
    return columns[0] if columns else None


def _value_of(
    field: str | None,
    columns: Sequence[str],
    values: Sequence[str],
    attempt: Attempt | None,
    collection: Collection | None,
) -> dict[str, Any]:
    """The value as it was submitted where it can be found, otherwise the database's text of it."""
    if field is None:
        return {}
    text = values[columns.index(field)] if field in columns and len(values) == len(columns) else None
    if attempt is not None and (collection is None or collection.name == attempt.collection):
        given = [payload[field] for payload in attempt.payloads if field in payload]
        matching = [value for value in given if text is None or str(value).lower() == text.lower()]
        if matching or len(given) == 1:
            value = (matching or given)[0]
            return {} if isinstance(value, dict | list) and text is None else {"value": _scalar(value, text)}
    return {} if text is None else {"value": text}


def _scalar(value: Any, text: str | None) -> Any:
    return text if isinstance(value, dict | list) else value


def _constrained_columns(collection: Collection | None, constraint: str | None) -> tuple[str, ...]:
    """The columns of a foreign key constraint, by its name."""
    if collection is None or constraint is None:
        return ()
    for name, column in collection.columns.items():
        if column.foreign_key is not None and column.foreign_key.constraint == constraint:
            return (name,)
    return next((key.columns for key in collection.composite_keys if key.constraint == constraint), ())


def _parameter_column(error: psycopg.Error, attempt: Attempt | None) -> str | None:
    """The column whose parameter the server could not read (``unnamed portal parameter $3``)."""
    match = _PARAMETER.search(error.diag.context or "")
    if match is None or attempt is None:
        return None
    place = int(match[1]) - 1
    return attempt.columns[place] if place < len(attempt.columns) else None


def _named_in(constraint: str, collection: Collection | None, attempt: Attempt | None) -> str | None:
    """The submitted column that a constraint is named after (``film_rating_check``)."""
    names = [name for payload in (attempt.payloads if attempt else ()) for name in payload]
    known = names or list(collection.columns if collection else ())
    fitting = [name for name in known if re.search(rf"(?:^|_){re.escape(name)}(?:_|$)", constraint)]
    return max(fitting, key=len, default=None)


Suspicion = Callable[[str, Any], bool]


def _suspect(attempt: Attempt | None, collection: Collection | None, guilty: Suspicion) -> str | None:
    """The submitted field that fits the crime; with a single field there is no doubt."""
    if attempt is None or (collection is not None and collection.name != attempt.collection):
        return None
    pairs = [(name, value) for payload in attempt.payloads for name, value in payload.items()]
    names = {name for name, _ in pairs}
    if len(names) == 1:
        return names.pop()
    return next((name for name, value in pairs if guilty(name, value)), None)


def _texts_of(value: Any) -> Iterator[str]:
    """The texts under which a submitted value may have reached the server."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for entry in value:
            yield from _texts_of(entry)
    elif isinstance(value, dict):
        yield orjson.dumps(value).decode()
    elif value is not None:
        yield str(value)


def _is_too_long(error: psycopg.Error) -> Suspicion:
    match = re.search(r"\((\d+)\)", error.diag.message_primary or "")
    limit = int(match[1]) if match else 0
    return lambda _, value: isinstance(value, str) and len(value) > limit


def _is_number(_: str, value: Any) -> bool:
    if isinstance(value, str):
        return bool(re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?", value, re.IGNORECASE))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _submitted(field: str | None, attempt: Attempt | None) -> dict[str, Any]:
    given = [payload[field] for payload in attempt.payloads if field in payload] if attempt and field else []
    return {"value": given[0]} if len(given) == 1 else {}


_Make = Callable[[psycopg.Error, Attempt | None], ActaError]


def _archived(error: psycopg.Error, _: Attempt | None) -> ActaError:
    return InvalidPayload(error.diag.message_primary or "That is archived")


_BY_STATE: Mapping[str, _Make] = {
    "23505": _unique,  # unique_violation
    "23503": _foreign_key,  # foreign_key_violation
    "23001": _foreign_key,  # restrict_violation
    "23502": _not_null,  # not_null_violation
    "23514": _check,  # check_violation, also of domains
    "23P01": _check,  # exclusion_violation
    "22001": _too_long,  # string_data_right_truncation
    "22026": _too_long,  # string_data_length_mismatch
    "22003": _out_of_range,  # numeric_value_out_of_range
    "22008": _out_of_range,  # datetime_field_overflow
    "2200H": _out_of_range,  # sequence_generator_limit_exceeded
    "54000": _refused,  # program_limit_exceeded: a value too large for its index
    "428C9": _generated,  # generated_always
    "40001": _conflict,  # serialization_failure
    "40P01": _conflict,  # deadlock_detected
    "55P03": _conflict,  # lock_not_available
    "AC001": _archived,  # ours, of acta.require_present_v1
    "57014": _unavailable,  # query_canceled: statement_timeout
    "25006": _unavailable,  # read_only_sql_transaction: a standby
    "42501": _forbidden,  # insufficient_privilege
    "55000": _forbidden,  # object_not_in_prerequisite_state: a materialized view without contents
    "42P01": _changed_behind,  # undefined_table
    "42703": _changed_behind,  # undefined_column
    "3F000": _changed_behind,  # invalid_schema_name
    "0A000": _refused,  # feature_not_supported
}
_BY_CLASS: Mapping[str, _Make] = {
    "08": _unavailable,  # connection exceptions
    "22": _unreadable,  # data exceptions
    "2F": _refused,  # SQL routine exceptions
    "44": _refused,  # WITH CHECK OPTION
    "53": _unavailable,  # insufficient resources
    "HV": _unavailable,  # errors of foreign data
    "57": _unavailable,  # operator intervention
    "P0": _refused,  # RAISE EXCEPTION in a trigger
}
