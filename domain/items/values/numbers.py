"""Numbers: integers of each width, floats, decimals of a precision and scale."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

from domain.items.values.refused import Refused

_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)
_DECIMAL = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII)
_EXACT = Context(prec=2000)
_LONGEST_DIGITS = 1000
# Between these `repr` of a float has no exponent.
_PLAIN_ABOVE, _PLAIN_BELOW = 1e-4, 10**15
_FLOAT4_MAXIMUM = 3.4028235677973366e38
_FLOAT4_MINIMUM = 7.006492321624085e-46
# What PostgreSQL's numeric holds: digits before the point, digits after it.
_NUMERIC_BEFORE = 131072
_NUMERIC_AFTER = 16383


def integer(bits: int) -> Callable[[Any], str]:
    """Converter of ``smallint``, ``integer``, ``bigint``."""
    limit = 1 << (bits - 1)

    def convert(value: Any) -> str:
        number = value if type(value) is int else whole(value)
        if not -limit <= number < limit:
            raise Refused("an integer", "range")
        return str(number)

    return convert


def whole(value: Any) -> int:
    """A JSON number or numeric text without a fraction."""
    if isinstance(value, bool):
        raise Refused("an integer")
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        if len(value) > _LONGEST_DIGITS:
            raise Refused("an integer", "range")
        return int(value)
    raise Refused("an integer")


def floating(single: bool) -> Callable[[Any], str]:
    """Converter of ``real`` and ``double precision``."""

    def convert(value: Any) -> str:
        number = _float(value)
        if math.isinf(number):
            raise Refused("a number", "range")
        size = abs(number)
        if single and number and not _FLOAT4_MINIMUM < size < _FLOAT4_MAXIMUM:
            raise Refused("a number", "range")
        return repr(number)

    return convert


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Refused("a number")
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise Refused("a number")
    try:
        number = float(value)
    except OverflowError:
        return math.inf
    if math.isnan(number):
        raise Refused("a number")
    return number


def decimal(precision: int | None, scale: int | None) -> Callable[[Any], str]:
    """Converter of ``numeric``, rounded to the scale as PostgreSQL does, so that the range check is exact."""
    bounded = precision is not None and scale is not None and scale >= 0
    limit = (
        Decimal(10) ** (precision - scale)
        if bounded and precision is not None and scale is not None
        else None
    )
    step = Decimal(1).scaleb(-scale) if bounded and scale is not None else None
    # Numbers this small are in range however they are rounded, and print as they are.
    harmless = _PLAIN_BELOW if limit is None else min(_PLAIN_BELOW, int(limit) - 1)

    def convert(value: Any) -> str:
        if type(value) is int and -harmless < value < harmless:
            return str(value)
        if type(value) is float and _PLAIN_ABOVE < abs(value) < harmless:
            return repr(value)
        number = _decimal(value)
        if limit is not None and step is not None:
            # Quantizing a number so far above the step would need more digits than the context has.
            if number and number.adjusted() > _LONGEST_DIGITS:
                raise Refused("a number", "range")
            if abs(number.quantize(step, ROUND_HALF_UP, _EXACT)) >= limit:
                raise Refused("a number", "range")
        return format(number, "f") if number.adjusted() < _LONGEST_DIGITS else str(number)

    return convert


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Refused("a number")
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise Refused("a number")
    try:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except (InvalidOperation, ValueError) as error:
        raise Refused("a number") from error
    if not number.is_finite():
        raise Refused("a number", "range")
    exponent = int(number.as_tuple().exponent)
    if number.adjusted() >= _NUMERIC_BEFORE or exponent < -_NUMERIC_AFTER:
        raise Refused("a number", "range")
    return number
