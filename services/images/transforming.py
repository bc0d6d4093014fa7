"""One transformation: file in, file out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyvips

from services.images.loading import ANIMATED, kind_of, open_image, shown_size, source_of
from services.images.operations import apply
from services.images.resizing import finish, geometry

SRGB = "srgb"
_NOT_ENCODERS = frozenset({"toFormat", "jpeg", "png", "tiff", "webp", "avif"})


def transform(job: dict[str, Any]) -> dict[str, Any]:
    """Carry out a job: ``source``, ``target``, ``pixels``, ``sensitivity`` and a transformation's members.

    Raises:
        BadImage, pyvips.Error
    """
    path = job["source"]
    steps = [step for step in job["transforms"] if step[0] not in _NOT_ENCODERS]
    animated = job["format"] in ANIMATED and kind_of(path) in ANIMATED and not steps
    image = open_image(path, job["pixels"], job["sensitivity"], animated=animated)
    resizing = bool(job["width"] or job["height"])
    if steps:
        image = _stepwise(image, steps)
    if resizing:
        wanted = geometry(shown_size(image), job)
        # Straight from the file the decoder may scale along, which saves most of the work.
        options = {"height": wanted.height, "size": "force", "fail_on": job["sensitivity"]}
        options["export_profile"] = SRGB
        if image.interpretation == "cmyk":
            # For those that bring no profile; others without one would be taken for CMYK by it.
            options["import_profile"] = "cmyk"
        if steps:
            del options["fail_on"]
            image = image.thumbnail_image(wanted.width, **options)
        else:
            pages = "[n=-1]" if animated else ""
            image = pyvips.Image.thumbnail_source(
                source_of(path), wanted.width, option_string=pages, **options
            )
        image = finish(image, wanted)
    elif not steps:
        image = _coloured(image.autorot())
    quality = job["quality"] or _own_quality(job["transforms"])
    _save(image, job["target"], job["format"], quality)
    return {"width": image.width, "height": image.get_page_height()}


def _stepwise(image: pyvips.Image, steps: list[list[Any]]) -> pyvips.Image:
    rotated = any(step[0] == "rotate" and len(step) > 1 for step in steps)
    image = image.copy_memory()
    image = _coloured(image if rotated else image.autorot())
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
