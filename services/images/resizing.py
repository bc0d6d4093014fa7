"""Sizes: which rectangle an image is scaled to, what is cut off it and what is put around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyvips


@dataclass(frozen=True, slots=True)
class Geometry:
    """Scale to ``width`` x ``height``, then cut ``crop`` (left, top, width, height), then fill ``frame``."""

    width: int
    height: int
    crop: tuple[int, int, int, int] | None = None
    frame: tuple[int, int] | None = None


def geometry(size: tuple[int, int], job: dict[str, Any]) -> Geometry:
    """What a job makes of an image of this size."""
    full, tall = size
    width, height = job["width"], job["height"]
    if not (width and height):
        if width:
            return Geometry(width, _at_least(tall * width / full))
        return Geometry(_at_least(full * height / tall), height)
    if job["fit"] == "fill":
        return Geometry(width, height)
    scales = (width / full, height / tall)
    if job["fit"] in ("inside", "contain"):
        scale = min(scales)
        inner = (min(width, _at_least(full * scale)), min(height, _at_least(tall * scale)))
        return Geometry(*inner, frame=(width, height) if job["fit"] == "contain" else None)
    scale = max(scales)
    outer = (max(width, round(full * scale)), max(height, round(tall * scale)))
    if job["fit"] == "outside":
        return Geometry(*outer)
    left, top = (outer[0] - width) // 2, (outer[1] - height) // 2
    if job["focal"]:
        left = _window(job["focal"][0] * outer[0] / full, width, outer[0])
        top = _window(job["focal"][1] * outer[1] / tall, height, outer[1])
    return Geometry(*outer, crop=(left, top, width, height))


def finish(image: pyvips.Image, wanted: Geometry) -> pyvips.Image:
    """Cut and frame an image that has been scaled, each page of an animation for itself."""
    if wanted.crop:
        left, top, width, height = wanted.crop
        return each_page(image, lambda page: page.crop(left, top, width, height))
    if wanted.frame:
        width, height = wanted.frame
        black = [0.0] * (image.bands - image.hasalpha()) + [255.0] * image.hasalpha()

        def framed(page: pyvips.Image) -> pyvips.Image:
            left, top = (width - page.width) // 2, (height - page.height) // 2
            return page.embed(left, top, width, height, extend="background", background=black)

        return each_page(image, framed)
    return image


def each_page(image: pyvips.Image, work: Any) -> pyvips.Image:
    """Do something to every page of an image."""
    height = image.get_page_height()
    if height == image.height:
        return work(image)
    pages = [
        work(image.crop(0, top, image.width, height)) for top in range(0, image.height - height + 1, height)
    ]
    joined = pyvips.Image.arrayjoin(pages, across=1).copy()
    for name in ("delay", "loop", "n-pages"):
        if image.get_typeof(name):
            joined.set_type(image.get_typeof(name), name, image.get(name))
    joined.set_type(pyvips.GValue.gint_type, "page-height", pages[0].height)
    return joined


def _at_least(value: float) -> int:
    return max(1, round(value))


def _window(centre: float, side: int, full: int) -> int:
    return max(0, min(full - side, round(centre - side / 2)))
