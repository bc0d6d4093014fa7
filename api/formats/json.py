"""Items as indented JSON."""

from __future__ import annotations

import json
from typing import Any


def dump(value: Any) -> str:
    """The value as JSON text, indented by tabs."""
    return json.dumps(value, ensure_ascii=False, indent="\t")
