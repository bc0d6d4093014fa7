"""The operations that are neither items nor flows themselves: each takes options and gives a result."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
import orjson

from domain.errors import ErrorGroup, InvalidPayload
from domain.flows.conditions import check
from domain.flows.outside import Unreachable
from domain.flows.redaction import redacted
from domain.flows.running import Rejected, Run, Thrown
from domain.flows.templates import expand
from projections.flows.items import parsed
from projections.flows.script import run_script
from projections.flows.services import FlowServices

Options = Mapping[str, Any]
log = logging.getLogger("acta.flows")
_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600}
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|[smhdwy])?")
_LONGEST_SLEEP: Final = 86_400.0


async def condition(options: Options, run: Run) -> None:
    """Null when the data meets the filter; fails with one error for each rule that it does not meet."""
    found = check(parsed(options.get("filter"), "filter"), run.data)
    if found:
        raise ErrorGroup(found)


async def write_log(options: Options, run: Run) -> None:
    """A line in the log, made of redacted data."""
    operation = run.flow.operations.get(run.next or "")
    message = options.get("message")
    if operation is not None:
        message = expand(operation.options.get("message"), redacted(run.data, run.data["$env"], run.secrets))
    log.info(
        "flow %s: %s", run.flow.name, message if isinstance(message, str) else orjson.dumps(message).decode()
    )


async def transform(options: Options, run: Run) -> Any:
    """The value of ``json``."""
    return parsed(options.get("json"), "json")


async def sleep(options: Options, run: Run) -> None:
    """Wait; what is not a number is no time at all."""
    try:
        seconds = float(options.get("milliseconds") or 0) / 1000
    except (TypeError, ValueError):
        seconds = 0.0
    if seconds > 0:
        await asyncio.sleep(min(seconds, _LONGEST_SLEEP))


async def throw_error(options: Options, run: Run) -> None:
    """Fail with the code, status and message of the options."""
    code, message = options.get("code"), options.get("message")
    try:
        status = int(str(options.get("status") or 500))
    except ValueError:
        status = 500
    raise Thrown(
        message if isinstance(message, str) and message else "An unexpected error occurred.",
        code if isinstance(code, str) and code else "INTERNAL_SERVER_ERROR",
        status if 400 <= status <= 599 else 500,
    )


async def web_token(options: Options, run: Run) -> Any:
    """Sign, verify or decode a JSON Web Token."""
    secret, settings = options.get("secret"), parsed(options.get("options"), "options") or {}
    if not isinstance(settings, Mapping):
        raise InvalidPayload('"options" has to be an object')
    try:
        match options.get("operation"):
            case "sign":
                return _signed(parsed(options.get("payload"), "payload"), _secret(secret), settings)
            case "verify":
                return jwt.decode(
                    str(options.get("token")),
                    _secret(secret),
                    algorithms=["HS256", "HS384", "HS512"],
                    options={"verify_aud": False},
                )
            case "decode":
                return jwt.decode(str(options.get("token")), options={"verify_signature": False})
    except jwt.DecodeError as error:
        if options.get("operation") == "decode":
            return None
        raise Rejected({"name": "JsonWebTokenError", "message": _message(error)}) from error
    except jwt.ExpiredSignatureError as error:
        raise Rejected({"name": "TokenExpiredError", "message": "jwt expired"}) from error
    except jwt.InvalidTokenError as error:
        raise Rejected({"name": "JsonWebTokenError", "message": _message(error)}) from error
    raise InvalidPayload('"operation" has to be sign, verify or decode')


def _message(error: Exception) -> str:
    return "invalid signature" if isinstance(error, jwt.InvalidSignatureError) else str(error)


def _secret(secret: Any) -> str:
    if not isinstance(secret, str) or not secret:
        raise InvalidPayload('"secret" is required')
    return secret


def _signed(payload: Any, secret: str, settings: Mapping[str, Any]) -> str:
    if not isinstance(payload, Mapping):
        raise InvalidPayload('"payload" has to be an object')
    claims = dict(payload)
    now = datetime.now(UTC)
    claims.setdefault("iat", now)
    for name, claim in (("issuer", "iss"), ("subject", "sub"), ("audience", "aud"), ("jwtid", "jti")):
        if name in settings:
            claims[claim] = settings[name]
    if "expiresIn" in settings:
        claims["exp"] = now + timedelta(seconds=_seconds(settings["expiresIn"]))
    algorithm = settings.get("algorithm", "HS256")
    if algorithm not in ("HS256", "HS384", "HS512"):
        raise InvalidPayload('"algorithm" has to be HS256, HS384 or HS512')
    return jwt.encode(claims, secret, algorithm=algorithm)


def _seconds(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _SPAN.fullmatch(str(value).strip().lower())
    if match is None:
        raise InvalidPayload(f'"expiresIn" is no time: {value}')
    # A text without a unit is milliseconds, as the field's usual library reads it.
    return float(match[1]) * _UNITS[match[2] or "ms"]


class OutsideOperations:
    """Performers of ``request``, ``mail`` and ``exec``."""

    def __init__(self, services: FlowServices) -> None:
        self._services = services

    async def request(self, options: Options, run: Run) -> Any:
        """The answer of another server; what is not 2xx is a failure with the same members."""
        headers = [
            (str(entry.get("header")), str(entry.get("value")))
            for entry in options.get("headers") or ()
            if isinstance(entry, Mapping)
        ]
        body, kind = _body(options.get("body"))
        if body is not None and kind and not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", kind))
        try:
            answer = await self._services.outside.request(
                str(options.get("method") or "GET").upper(), str(options.get("url") or ""), headers, body
            )
        except Unreachable as error:
            raise Rejected({"name": "Error", "message": str(error)}) from error
        found = {
            "status": answer.status,
            "statusText": answer.reason,
            "headers": dict(answer.headers),
            "data": answer.data,
        }
        if not 200 <= answer.status < 300:
            raise Rejected(found)
        return found

    async def mail(self, options: Options, run: Run) -> None:
        """Send a mail; its failures are told in the log only."""
        await self._services.outside.mail(options, run.flow.id)

    async def script(self, options: Options, run: Run) -> Any:
        """Run JavaScript on the data."""
        settings = self._services.settings
        return await run_script(
            str(options.get("code") or ""),
            run.data,
            run.data["$env"],
            settings.script_timeout / 1000,
            settings.script_memory * 1024 * 1024,
        )


def _body(body: Any) -> tuple[bytes | None, str | None]:
    if body in (None, ""):
        return None, None
    if not isinstance(body, str):
        return orjson.dumps(body), "application/json"
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.encode(), None
    return body.encode(), "application/json"
