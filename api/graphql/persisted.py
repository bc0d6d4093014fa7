"""Automatic persisted queries: a client sends the hash of a document it has sent before."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any

from domain.errors import InvalidPayload
from domain.graphql.errors import PersistedQueryNotFound

MOST_PERSISTED = 10_000_000
"""Characters of all persisted documents together."""


class Persisted:
    """Documents by the SHA-256 of their text (automatic persisted queries, an extension)."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._size = 0

    def text(self, extensions: Any, given: Any) -> Any:
        """The text that a request means.

        Raises:
            PersistedQueryNotFound: for a hash that was never sent with its text.
            InvalidPayload: for a text with another hash.
        """
        persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
        digest = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
        if not isinstance(digest, str):
            return given
        if not given:
            found = self._texts.get(digest)
            if found is None:
                raise PersistedQueryNotFound()
            self._texts.move_to_end(digest)
            return found
        if isinstance(given, str):
            if hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest() != digest:
                raise InvalidPayload("The hash of the persisted query is not that of its text")
            self._keep(digest, given)
        return given

    def _keep(self, digest: str, text: str) -> None:
        if digest not in self._texts:
            self._texts[digest] = text
            self._size += len(text)
            while self._size > MOST_PERSISTED:
                self._size -= len(self._texts.popitem(last=False)[1])
