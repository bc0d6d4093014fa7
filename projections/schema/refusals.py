"""What PostgreSQL refuses while the schema changes, as an error for the client."""

from __future__ import annotations

from psycopg import errors

from domain.errors import (
    ActaError,
    ContainsNullValues,
    InvalidForeignKey,
    InvalidPayload,
    RecordNotUnique,
    ServiceUnavailable,
    ValueTooLong,
)
from projections.database import is_lost

RETRY_SECONDS = 2


def refusal(error: errors.Error, collection: str = "", field: str | None = None) -> ActaError | None:
    """The answer to an error of the driver; None for what is none of the client's business.

    ``collection`` and ``field`` are what the failed step was about.
    """
    if is_lost(error) or isinstance(error, errors.SyntaxError):
        return None  # the latter is a mistake of ours, not of the client's
    if isinstance(error, (errors.LockNotAvailable, errors.QueryCanceled, errors.DeadlockDetected)):
        return ServiceUnavailable("database", "Tables are in use by another transaction", RETRY_SECONDS)
    table = error.diag.table_name or ""
    if error.diag.schema_name == "acta" and table.startswith("directus_"):
        return _metadata_refusal(error, table)
    if isinstance(error, errors.UniqueViolation) and field is not None:
        return RecordNotUnique(collection, field)
    if isinstance(error, errors.NotNullViolation):
        return ContainsNullValues(collection, error.diag.column_name or field)
    if isinstance(error, errors.StringDataRightTruncation):
        return ValueTooLong("directus_fields", "collection")
    return InvalidPayload(_text(error))


def _metadata_refusal(error: errors.Error, table: str) -> ActaError:
    column = error.diag.column_name or (error.diag.constraint_name or "").removeprefix(f"{table}_")
    column = (
        column.removesuffix("_foreign").removesuffix("_fkey").removesuffix("_unique").removesuffix("_pkey")
    )
    if isinstance(error, errors.ForeignKeyViolation):
        return InvalidForeignKey(table, column, value=_quoted_value(error))
    if isinstance(error, errors.UniqueViolation):
        return RecordNotUnique(table, column)
    return InvalidPayload(_text(error))


def _quoted_value(error: errors.Error) -> str | None:
    # DETAIL: Key ("group")=(nope) is not present in table "directus_collections".
    _, _, rest = (error.diag.message_detail or "").partition(")=(")
    return rest.rpartition(") is ")[0] or None


def _text(error: errors.Error) -> str:
    return error.diag.message_primary or str(error)
