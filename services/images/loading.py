"""Opening images that nobody vouches for: by content, never by name, and nothing too large to hold.

Files are opened as sources, because libvips reads options out of file names.
"""

from __future__ import annotations

import pyvips
from pyvips import ffi, vips_lib

_LOADERS = {
    "VipsForeignLoadJpegSource": "jpeg",
    "VipsForeignLoadPngSource": "png",
    "VipsForeignLoadWebpSource": "webp",
    "VipsForeignLoadTiffSource": "tiff",
    "VipsForeignLoadNsgifSource": "gif",
    "VipsForeignLoadHeifSource": "avif",
}
ANIMATED = frozenset({"webp", "gif"})


class BadImage(Exception):
    """What was given is no image that may be decoded."""


def source_of(path: str) -> pyvips.Source:
    """A file as something to decode from, once."""
    return pyvips.Source.new_from_file(path)


def kind_of(path: str) -> str:
    """The format of a file by its content. Raises BadImage for one that is not meant to be decoded."""
    loader = vips_lib.vips_foreign_find_load_source(source_of(path).pointer)
    if loader == ffi.NULL:
        raise BadImage("unknown format")
    name = ffi.string(loader).decode()
    if name not in _LOADERS:
        raise BadImage(f"{name} is not allowed")
    return _LOADERS[name]


def open_image(
    path: str, pixels: int, sensitivity: str = "warning", *, animated: bool = False, factor: float = 1
) -> pyvips.Image:
    """The image, not decoded yet. Raises BadImage for more than ``pixels``, counted over all pages.

    It may come up to ``factor`` times smaller where decoding less of it saves work, but no smaller than that.
    """
    kind = kind_of(path)
    options: dict[str, float] = {"n": -1} if animated and kind in ANIMATED else {}
    if kind == "jpeg":
        options["shrink"] = next(shrink for shrink in (8, 4, 2, 1) if shrink <= max(1, factor))
    elif kind == "webp" and factor > 1:
        options["scale"] = 1 / factor
    try:
        image = pyvips.Image.new_from_source(
            source_of(path), "", access="sequential", fail_on=sensitivity, **options
        )
    except pyvips.Error as error:
        raise BadImage(str(error)) from error
    if image.width * image.height > pixels:
        raise BadImage("too many pixels")
    return image


def shown_size(image: pyvips.Image) -> tuple[int, int]:
    """Width and height as the image is shown, its orientation applied."""
    width, height = image.width, image.get_page_height()
    turned = image.get_typeof("orientation") != 0 and int(image.get("orientation")) >= 5
    return (height, width) if turned else (width, height)
