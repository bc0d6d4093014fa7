"""The built-in definitions as a static model, to be laid over the real tables."""

from __future__ import annotations

from functools import cache

from domain.model import Model


@cache
def built_in() -> Model:
    """The system collections and their relations as defined."""
    return Model(0, {})
