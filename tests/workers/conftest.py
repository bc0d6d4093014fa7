"""The prepared log, as in the log's own tests."""

from tests.log.conftest import database

__all__ = ["database"]
