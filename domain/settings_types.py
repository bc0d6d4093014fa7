"""The forms in which settings are written, and what all groups of settings have in common."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

UNITS = {"b": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3}
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600}


class SettingsError(Exception):
    """A setting is unknown or has an invalid value; the text is one line that names it."""


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _size(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(b|kb|mb|gb)?", value.strip().lower())
    if match is None:
        raise ValueError("a size looks like 500kb, 1mb or 2gb")
    return int(float(match[1]) * UNITS[match[2] or "b"])


def _duration(value: object) -> object:
    # A number alone is milliseconds, as in the reference.
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|[smhdwy])?", value.strip().lower())
    if match is None:
        raise ValueError("a duration looks like 15m, 7d or 500 (milliseconds)")
    return float(match[1]) * SECONDS[match[2] or "ms"]


def _unlimited(value: object) -> object:
    return None if value in (-1, "-1") else value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_split)]
Size = Annotated[int, BeforeValidator(_size), Field(ge=1)]
Duration = Annotated[float, BeforeValidator(_duration), Field(ge=0)]
SameSite = Literal["lax", "strict", "none"]
Limit = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_unlimited)]


class Group(BaseModel):
    """Settings that belong together: immutable, each known by its environment name."""

    model_config = ConfigDict(frozen=True, extra="forbid")
