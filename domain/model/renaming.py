"""Names inside metadata: filters, paths and templates that speak of a field that gets another name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.model.schema import Model

_PART = re.compile(r"\{\{\s*([^}]+?)\s*\}\}")


@dataclass(frozen=True, slots=True)
class FieldName:
    """A field's renaming in a model that still has the old name."""

    model: Model
    collection: str
    old: str
    new: str

    def filter(self, start: str, value: Any) -> Any:
        """A filter object on items of ``start``."""
        if isinstance(value, list):
            return [self.filter(start, entry) for entry in value]
        if not isinstance(value, Mapping):
            return value
        found = {}
        for key, inner in value.items():
            name, colon, chosen = str(key).partition(":")
            if name.startswith("_") and name not in ("_some", "_none"):
                found[key] = self.filter(start, inner) if name in ("_and", "_or") else inner
                continue
            if name in ("_some", "_none"):
                found[key] = self.filter(start, inner)
                continue
            target = self._target(start, self._bare(name), chosen)
            renamed = self._renamed(start, name) + colon + chosen
            found[renamed] = self.filter(target, inner) if target else inner
        return found

    def path(self, start: str, path: str) -> str:
        """A path such as ``author.name``, perhaps with a leading minus or ``item:collection`` parts."""
        sign = "-" if path.startswith("-") else ""
        collection: str | None = start
        parts = []
        for part in path.removeprefix("-").split("."):
            name, colon, chosen = part.partition(":")
            parts.append((self._renamed(collection, name) if collection else name) + colon + chosen)
            collection = self._target(collection, self._bare(name), chosen) if collection else None
        return sign + ".".join(parts)

    def paths(self, start: str, value: Any) -> Any:
        """A list of paths; anything else stays as it is."""
        if not isinstance(value, list):
            return value
        return [self.path(start, entry) if isinstance(entry, str) else entry for entry in value]

    def template(self, start: str, value: Any) -> Any:
        """A template of ``{{paths}}``."""
        if not isinstance(value, str):
            return value
        return _PART.sub(lambda match: "{{" + self.path(start, match[1]) + "}}", value)

    def conditions(self, start: str, value: Any) -> Any:
        """The rules of a field's conditions."""
        if not isinstance(value, list):
            return value
        return [
            {**entry, "rule": self.filter(start, entry.get("rule"))} if isinstance(entry, Mapping) else entry
            for entry in value
        ]

    def _renamed(self, collection: str, name: str) -> str:
        if collection != self.collection or self._bare(name) != self.old:
            return name
        function, bracket, _ = name.partition("(")
        return f"{function}({self.new})" if bracket else self.new

    def _bare(self, name: str) -> str:
        """The field in ``year(field)``."""
        return name[name.index("(") + 1 : -1] if name.endswith(")") and "(" in name else name

    def _target(self, collection: str, name: str, chosen: str) -> str | None:
        side = self.model.side(collection, name)
        if side is None:
            return None
        if side.kind == "o2m":
            return side.relation.collection
        return side.relation.related or chosen or None
