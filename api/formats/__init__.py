"""The formats that items are exported in: each turns the rows of an answer into the text of a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from api.formats import csv, json, xml, yaml

BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Format:
    """A format: content type, ending of file names, and the text of a value."""

    content_type: str
    ending: str
    text: Callable[[Any], str]


def _csv_with_mark(value: Any) -> str:
    return BOM + csv.dump(value)


FORMATS: Mapping[str, Format] = {
    "csv": Format("text/csv; charset=utf-8", "csv", csv.dump),
    "csv_utf8": Format("text/csv; charset=utf-8", "csv", _csv_with_mark),
    "json": Format("application/json; charset=utf-8", "json", json.dump),
    "xml": Format("text/xml; charset=utf-8", "xml", xml.dump),
    "yaml": Format("text/yaml; charset=utf-8", "yaml", yaml.dump),
}
