"""One transformation: file in, file out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyvips

from services.images.loading import ANIMATED, kind_of, open_image, shown_size
from services.images.operations import apply
from services.images.resizing import finish, geometry

SRGB = "srgb"
_LEFT = 1.5
"""What decoders leave to a good filter: they merely average, which shows in what is fine."""
_ENOUGH = 128
"""Pixels of the short side that no decoder leaves out: it rounds sides, which would distort a small image."""
_NOT_ENCODERS = frozenset({"toFormat", "jpeg", "png", "tiff", "webp", "avif"})


def transform(job: dict[str, Any]) -> dict[str, Any]:
    """Carry out a job: ``source``, ``target``, ``pixels``, ``sensitivity`` and a transformation's members.

    Raises:
        BadImage, pyvips.Error
    """
    steps = [step for step in job["transforms"] if step[0] not in _NOT_ENCODERS]
    path, limits = job["source"], (job["pixels"], job["sensitivity"])
    animated = job["format"] in ANIMATED and kind_of(path) in ANIMATED and not steps
    image = open_image(path, *limits, animated=animated)
    if steps:
        image = _stepwise(image, steps)
    if job["width"] or job["height"]:
        size = shown_size(image)
        wanted = geometry(size, job)
        factor = min(size[0] / wanted.width, size[1] / wanted.height) / _LEFT
        factor = min(factor, min(size) / _ENOUGH)
        if not steps and factor > 1:
            image = open_image(path, *limits, animated=animated, factor=factor)
        image = image.thumbnail_image(wanted.width, height=wanted.height, size="force")
        image = finish(_coloured(image), wanted)
    elif not steps:
        image = _coloured(image.autorot())
    quality = job["quality"] or _own_quality(job["transforms"])
    _save(image, job["target"], job["format"], quality)
    return {"width": image.width, "height": image.get_page_height()}


def _stepwise(image: pyvips.Image, steps: list[list[Any]]) -> pyvips.Image:
    rotated = any(step[0] == "rotate" and len(step) > 1 and step[1] is not None for step in steps)
    image = image.copy_memory()
    if rotated:
        # How it was held counts no more, neither now nor when it is resized.
        image.remove("orientation")
    image = _coloured(image.autorot())
    for method, *arguments in steps:
        image = apply(image, method, arguments)
    return image


def _coloured(image: pyvips.Image) -> pyvips.Image:
    """The image in sRGB, or grey where it was grey."""
    if image.get_typeof("icc-profile-data") or image.interpretation == "cmyk":
        try:
            image = image.icc_transform(SRGB, input_profile="cmyk", embedded=True)
        except pyvips.Error:
            image = image.colourspace(SRGB)
    elif image.interpretation not in ("srgb", "b-w", "rgb16", "grey16"):
        image = image.colourspace(SRGB)
    return image


def _own_quality(steps: list[list[Any]]) -> int | None:
    """The quality that an encoder among the transforms was given."""
    for _, *arguments in reversed([step for step in steps if step[0] in _NOT_ENCODERS]):
        for options in arguments:
            if isinstance(options, Mapping) and isinstance(options.get("quality"), int):
                return max(1, min(100, int(options["quality"])))
    return None


def _save(image: pyvips.Image, target: str, form: str, quality: int | None) -> None:
    common = {"keep": "none"}
    if form in ("jpeg", "webp", "avif", "gif") and image.interpretation in ("rgb16", "grey16"):
        image = image.colourspace(SRGB if image.interpretation == "rgb16" else "b-w")
    if form == "jpeg":
        if image.hasalpha():
            image = image.flatten(background=[0, 0, 0])
        image.jpegsave(target, Q=quality or 80, optimize_coding=True, **common)
    elif form == "png":
        options = {"palette": True, "Q": quality, "bitdepth": 8} if quality else {}
        image.pngsave(target, compression=6, **options, **common)
    elif form == "webp":
        image.webpsave(target, Q=quality or 80, effort=4, **common)
    elif form == "avif":
        image.heifsave(target, compression="av1", Q=quality or 50, effort=4, **common)
    elif form == "tiff":
        if image.hasalpha():
            image.tiffsave(target, compression="lzw", **common)
        else:
            image.tiffsave(target, compression="jpeg", Q=quality or 80, **common)
    else:
        image.gifsave(target, **common)
