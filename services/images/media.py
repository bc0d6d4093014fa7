"""What sound and moving pictures say about themselves: how long they are."""

from __future__ import annotations

import math
from typing import Any

from services.images.loading import BadImage


def probe(job: dict[str, Any]) -> dict[str, Any]:
    """The ``duration`` in whole seconds of what is at ``source``. Raises BadImage for what has none."""
    # Most image processes never need it.
    from pymediainfo import MediaInfo

    try:
        tracks = MediaInfo.parse(job["source"]).tracks
    except (OSError, RuntimeError, SyntaxError) as error:
        raise BadImage(str(error)) from error
    if not any(track.track_type in ("Audio", "Video") for track in tracks):
        raise BadImage("neither sound nor moving pictures")
    for track in tracks:
        try:
            milliseconds = float(track.duration)
        except (TypeError, ValueError):
            continue
        if math.isfinite(milliseconds) and 0 <= milliseconds < 2**31 * 1000:
            return {"duration": round(milliseconds / 1000)}
    raise BadImage("no duration")
