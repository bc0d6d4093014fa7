"""Every error a client can meet: one base, a stable code, a status, and members for machines.

The wire form is ``{"errors":[{"message", "extensions": {"code", ...}}]}``. Codes, statuses and
the names of the extensions are a contract; messages are for people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from domain.error_texts import validation_message


class ActaError(Exception):
    """One error entry of an answer; subclasses fix ``code`` and ``status``."""

    code: ClassVar[str] = "INTERNAL_SERVER_ERROR"
    status: ClassVar[int] = 500

    def __init__(self, message: str, /, **extensions: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extensions = extensions

    def entry(self) -> dict[str, Any]:
        """The error as a member of the ``errors`` array."""
        return {"message": self.message, "extensions": {**self.extensions, "code": self.code}}


class ErrorGroup(Exception):
    """Several errors answered together, such as all failed validations of a payload."""

    def __init__(self, errors: Sequence[ActaError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = tuple(errors)

    @property
    def status(self) -> int:
        """The status all members share, else 500."""
        statuses = {error.status for error in self.errors}
        return statuses.pop() if len(statuses) == 1 else 500


class Forbidden(ActaError):
    """Not permitted, or not there: which of the two is never told."""

    code, status = "FORBIDDEN", 403

    def __init__(self, reason: str | None = None) -> None:
        if reason is None:
            super().__init__("You don't have permission to access this.")
        else:
            super().__init__(reason, reason=reason)

    @classmethod
    def collection(cls, collection: str, path: Sequence[str] = ()) -> Forbidden:
        """An unknown or unreadable collection; ``path`` are the relation fields leading to it."""
        return cls(
            f'You don\'t have permission to access collection "{collection}" or it does not exist. '
            f"Queried in {_queried_in(path)}."
        )

    @classmethod
    def fields(cls, collection: str, fields: Sequence[str], path: Sequence[str] = ()) -> Forbidden:
        """Unknown or unreadable fields of one collection; ``path`` as in :meth:`collection`."""
        if len(fields) == 1:
            named = f'field "{fields[0]}" in collection "{collection}" or it does not exist'
        else:
            names = ", ".join(f'"{field}"' for field in fields)
            named = f'fields {names} in collection "{collection}" or they do not exist'
        return cls(f"You don't have permission to access {named}. Queried in {_queried_in(path)}.")

    @classmethod
    def action(cls, action: str, collection: str, fields: Sequence[str] = ()) -> Forbidden:
        """An action that the caller's rules refuse on a collection, or on some fields of it."""
        if fields:
            names = ", ".join(f'"{field}"' for field in fields)
            return cls(
                f'You don\'t have permissions to perform "{action}" for the field(s) {names} '
                f'in collection "{collection}" or it does not exist.'
            )
        return cls(
            f'You don\'t have permission to perform "{action}" for collection "{collection}" '
            "or it does not exist."
        )


def _queried_in(path: Sequence[str]) -> str:
    return f'"{".".join(path)}"' if path else "root"


class _Fixed(ActaError):
    """An error about which there is nothing more to tell than its text."""

    text: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__(self.text)


class _Reasoned(ActaError):
    """An error whose only member is the reason, told in the message too."""

    prefix: ClassVar[str] = ""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{self.prefix}{reason}", reason=reason)


class InvalidQuery(_Reasoned):
    """A query parameter that can't be understood or is not allowed for the type."""

    code, status, prefix = "INVALID_QUERY", 400, "Invalid query. "


class InvalidPayload(_Reasoned):
    """A body, or a part of it, that can't be understood."""

    code, status, prefix = "INVALID_PAYLOAD", 400, "Invalid payload. "


class InvalidPathParameter(_Reasoned):
    """A part of the path that can't be understood."""

    code, status, prefix = "INVALID_PATH_PARAMETER", 400, "Invalid path parameter. "


class UnprocessableContent(_Reasoned):
    """Well-formed, but refused by a rule of the system, such as removing the last administrator."""

    code, status, prefix = "UNPROCESSABLE_CONTENT", 422, "Can't process content. "


class ServiceUnavailable(ActaError):
    """A server this one needs does not answer; ``retry_after`` is in seconds."""

    code, status = "SERVICE_UNAVAILABLE", 503

    def __init__(self, service: str, reason: str, retry_after: int = 1) -> None:
        super().__init__(f'Service "{service}" is unavailable. {reason}.', service=service, reason=reason)
        self.retry_after = retry_after


class FailedValidation(ActaError):
    """One rule that one value of a payload does not meet.

    ``details`` holds at most one of ``valid``, ``invalid``, ``substring``.
    """

    code, status = "FAILED_VALIDATION", 400

    def __init__(self, field: str, rule: str, path: Sequence[str] = (), /, **details: Any) -> None:
        message = validation_message(field, rule, path, details)
        super().__init__(message, field=field, path=list(path), type=rule, **details)


class _ColumnError(ActaError):
    """A constraint of the database, attributed to a field; ``value`` only where it is known."""

    text: ClassVar[str] = ""

    def __init__(self, collection: str, field: str | None, /, **value: Any) -> None:
        message = self.text.format(collection=collection, field=field)
        super().__init__(message, collection=collection, field=field, **value)


class RecordNotUnique(_ColumnError):
    """A unique or primary key constraint."""

    code, status = "RECORD_NOT_UNIQUE", 400
    text = 'Value for field "{field}" in collection "{collection}" has to be unique.'


class InvalidForeignKey(_ColumnError):
    """A reference to a row that is not there, or a row still referenced."""

    code, status = "INVALID_FOREIGN_KEY", 400
    text = 'Invalid foreign key for field "{field}" in collection "{collection}".'


class NotNullViolation(_ColumnError):
    """A column that can't be null."""

    code, status = "NOT_NULL_VIOLATION", 400
    text = 'Value for field "{field}" in collection "{collection}" can\'t be null.'


class ContainsNullValues(_ColumnError):
    """A column that can't be made required because rows hold no value in it."""

    code, status = "CONTAINS_NULL_VALUES", 400
    text = 'Field "{field}" in collection "{collection}" contains null values.'


class ValueTooLong(_ColumnError):
    """A text longer than its column."""

    code, status = "VALUE_TOO_LONG", 400
    text = 'Value for field "{field}" in collection "{collection}" is too long.'


class ValueOutOfRange(_ColumnError):
    """A number larger or smaller than its column holds."""

    code, status = "VALUE_OUT_OF_RANGE", 400
    text = 'Value for field "{field}" in collection "{collection}" is out of range.'


class InvalidCredentials(_Fixed):
    """A wrong password, token or share key."""

    code, status = "INVALID_CREDENTIALS", 401
    text = "Invalid user credentials."


class TokenExpired(_Fixed):
    """An access token past its time."""

    code, status = "TOKEN_EXPIRED", 401
    text = "Token expired."


class InvalidToken(_Fixed):
    """A token that this server did not sign, or one without what its purpose demands."""

    code, status = "INVALID_TOKEN", 403
    text = "Invalid token."


class InvalidOtp(_Fixed):
    """A missing or wrong one-time password."""

    code, status = "INVALID_OTP", 401
    text = "Invalid user OTP."


class InvalidProvider(_Fixed):
    """An account of one provider that asks to be one of another."""

    code, status = "INVALID_PROVIDER", 403
    text = "Invalid provider."


class InvalidProviderConfig(ActaError):
    """A provider whose settings can't be used."""

    code, status = "INVALID_PROVIDER_CONFIG", 503

    def __init__(self, provider: str) -> None:
        super().__init__("Invalid config.", provider=provider)


class UserSuspended(_Fixed):
    """A session of a user who has been suspended."""

    code, status = "USER_SUSPENDED", 401
    text = "User suspended."


class InvalidInvite(_Fixed):
    """An invitation that was used or taken back."""

    code, status = "INVALID_INVITE", 400
    text = "This invite is no longer valid."


class LimitExceeded(ActaError):
    """More of something than this server is set to allow."""

    code, status = "LIMIT_EXCEEDED", 403

    def __init__(self, category: str) -> None:
        super().__init__(f"{category} limit exceeded.", category=category)


class OutOfTime(ActaError):
    """Work that took longer than it may; ``duration`` in milliseconds."""

    code, status = "OUT_OF_TIME", 408

    def __init__(self, category: str, duration: int) -> None:
        super().__init__(f"{category} took longer than {duration} ms.", category=category, duration=duration)


class ContentTooLarge(_Fixed):
    """A file larger than it may be."""

    code, status = "CONTENT_TOO_LARGE", 413
    text = "Uploaded content is too large."


class RangeNotSatisfiable(ActaError):
    """A range of bytes that a file does not have; ``start`` and ``end`` as far as they were given."""

    code, status = "RANGE_NOT_SATISFIABLE", 416

    def __init__(self, text: str, start: int | None = None, end: int | None = None) -> None:
        given = {name: value for name, value in (("start", start), ("end", end)) if value is not None}
        super().__init__(
            f"Range \"{text}\" is invalid or the file's size doesn't match the requested range.", range=given
        )


class IllegalAssetTransformation(ActaError):
    """An image that can't be transformed: too large, of unknown size, or no image after all."""

    code, status = "ILLEGAL_ASSET_TRANSFORMATION", 400

    def __init__(self, transformations: Sequence[str]) -> None:
        super().__init__("Illegal asset transformation.", invalidTransformations=list(transformations))


class RequestsExceeded(ActaError):
    """Too many requests; ``reset`` is the instant (ISO text) from which more are taken."""

    code, status = "REQUESTS_EXCEEDED", 429

    def __init__(self, limit: int, reset: str, retry_after: int) -> None:
        super().__init__(f"Too many requests, retry after {retry_after}s.", limit=limit, reset=reset)
        self.retry_after = retry_after


class EmailLimitExceeded(ActaError):
    """More mail than this server is set to send: ``points`` letters in ``duration`` seconds."""

    code, status = "EMAIL_LIMIT_EXCEEDED", 429

    def __init__(self, points: int, duration: int, message: str | None) -> None:
        text = " ".join(filter(None, ("Email sending limit exceeded.", message)))
        super().__init__(text, points=points, duration=duration, **({"message": message} if message else {}))


class RouteNotFound(ActaError):
    """No such route; ``path`` is the path as requested."""

    code, status = "ROUTE_NOT_FOUND", 404

    def __init__(self, path: str) -> None:
        super().__init__(f"Route {path} doesn't exist.", path=path)


class PreconditionFailed(ActaError):
    """An ``If-Match`` that names another version; ``fields`` are those known to be written since."""

    code, status = "PRECONDITION_FAILED", 412

    def __init__(self, collection: str, item: str, fields: Sequence[str]) -> None:
        since = "; written since: " + ", ".join(f'"{field}"' for field in fields) if fields else ""
        super().__init__(
            f'Item "{item}" in collection "{collection}" has another version{since}.',
            collection=collection,
            item=item,
            fields=list(fields),
        )


class RequestInProgress(_Fixed):
    """A second request under an idempotency key whose first one is still being carried out."""

    code, status = "REQUEST_IN_PROGRESS", 409
    text = "A request with this Idempotency-Key is still being carried out."


class UndoConflict(ActaError):
    """What happened since stands against an undo; ``conflicts`` are objects of item, reason and fields."""

    code, status = "UNDO_CONFLICT", 409

    def __init__(self, conflicts: Sequence[Mapping[str, Any]]) -> None:
        first = conflicts[0]
        super().__init__(
            f'Can\'t undo: item "{first["item"]}" in collection "{first["collection"]}" '
            f"({first['reason']}), and {len(conflicts) - 1} more.",
            conflicts=[dict(conflict) for conflict in conflicts],
        )


class UnsupportedMediaType(ActaError):
    """A body in a form that the route does not take."""

    code, status = "UNSUPPORTED_MEDIA_TYPE", 415

    def __init__(self, media_type: str, where: str) -> None:
        message = f'Unsupported media type "{media_type}" in {where}.'
        super().__init__(message, mediaType=media_type, where=where)


class InternalError(ActaError):
    """Something broke; what it was stands in the log, not in the answer."""

    def __init__(self, message: str = "An unexpected error occurred.") -> None:
        super().__init__(message)


class ExtensionFailed(ActaError):
    """Code of the operator raised something unforeseen, or answered what is of no use; the log says what."""

    def __init__(self, extension: str) -> None:
        super().__init__(f'Extension "{extension}" failed.', extension=extension)
