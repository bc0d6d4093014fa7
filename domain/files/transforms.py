"""From query parameters of an asset to what shall be done with the image.

`parse` reads and checks the parameters, `resolve` lays presets under them and fits them to one file. The
result is plain data: equal requests give equal values, and `Transformation.digest` names the stored variant.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from domain.errors import IllegalAssetTransformation, InvalidQuery

TRANSFORMABLE = frozenset({"image/jpeg", "image/png", "image/webp", "image/tiff", "image/avif"})
FITS = ("cover", "contain", "inside", "outside", "fill")
FORMATS = ("auto", "jpg", "jpeg", "png", "webp", "tiff", "avif")
TYPES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "tiff": "image/tiff",
    "avif": "image/avif",
    "gif": "image/gif",
}
EXTENSIONS = {"jpeg": "jpg", "png": "png", "webp": "webp", "tiff": "tiff", "avif": "avif", "gif": "gif"}
METHODS = frozenset(
    (
        "toFormat", "jpeg", "png", "tiff", "webp", "avif", "resize", "extend", "extract", "trim",
        "rotate", "flip", "flop", "sharpen", "median", "blur", "flatten", "gamma", "negate",
        "normalise", "normalize", "clahe", "convolve", "threshold", "linear", "recomb", "modulate",
        "tint", "greyscale", "grayscale", "toColorspace", "toColourspace", "removeAlpha",
        "ensureAlpha", "extractChannel", "bandbool",
    )
)  # fmt: skip
ENCODERS = ("jpeg", "png", "tiff", "webp", "avif")
LARGEST_SIDE = 16_384
_SIDES = {"small": 64, "medium": 300, "large": 800}
SYSTEM_PRESETS: Mapping[str, Mapping[str, Any]] = {
    f"system-{name}-{fit}": {
        "width": side,
        **({"height": side, "fit": "cover"} if fit == "cover" else {}),
        "format": "auto",
    }
    for name, side in _SIDES.items()
    for fit in ("cover", "contain")
}
NAMES = (
    "key", "width", "height", "fit", "quality", "format", "withoutEnlargement",
    "focal_point_x", "focal_point_y", "transforms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of the file: its type, the sides in pixels as shown, its focal point."""

    type: str
    width: int | None
    height: int | None
    focal_x: int | None = None
    focal_y: int | None = None


@dataclass(frozen=True, slots=True)
class Transformation:
    """What to do with an image: ``transforms`` in order, then a resize, then the encoding.

    ``format`` is the name of the encoder. ``focal`` is in pixels of the original as shown.
    """

    format: str
    quality: int | None = None
    width: int | None = None
    height: int | None = None
    fit: str = "cover"
    focal: tuple[int, int] | None = None
    transforms: tuple[tuple[Any, ...], ...] = ()

    def wire(self) -> dict[str, Any]:
        """As JSON values, for another process."""
        return {
            "format": self.format,
            "quality": self.quality,
            "width": self.width,
            "height": self.height,
            "fit": self.fit,
            "focal": self.focal,
            "transforms": self.transforms,
        }

    def digest(self, content: str) -> str:
        """40 hex digits of what is done to which contents."""
        text = orjson.dumps([self.wire(), content], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(text).hexdigest()[:40]


@dataclass(frozen=True, slots=True)
class Wish:
    """The parameters of a request, checked; ``names`` are those that were given at all."""

    values: Mapping[str, Any] = field(default_factory=dict)
    names: frozenset[str] = frozenset()


def parse(query: Mapping[str, str], most_operations: int) -> Wish:
    """Check the parameters of a request.

    Raises:
        InvalidQuery
    """
    names = frozenset(name for name in NAMES if name in query)
    values: dict[str, Any] = {}
    for name in names:
        text = query[name]
        if name == "transforms":
            values[name] = _transforms(text, most_operations)
        elif text != "":
            values[name] = _checked(name, text)
    if names == {"transforms"} and not values["transforms"]:
        return Wish()
    return Wish(values, names)


def resolve_key(wish: Wish, presets: Sequence[Mapping[str, Any]], allowed: str) -> dict[str, Any]:
    """The parameters with those of the named preset under them, if the project allows them.

    Raises:
        InvalidQuery
    """
    if not wish.names:
        return {}
    key = wish.values.get("key")
    known = {str(preset.get("key")): preset for preset in presets}
    alone = wish.names == {"key"} and key is not None
    if allowed == "none" and not (alone and key in SYSTEM_PRESETS):
        raise InvalidQuery("Dynamic asset generation has been disabled for this project")
    if allowed == "presets" and not (alone and (key in SYSTEM_PRESETS or key in known)):
        raise InvalidQuery("Only configured presets can be used in asset generation")
    given = {name: value for name, value in wish.values.items() if name != "key"}
    if key is None:
        return given
    preset = SYSTEM_PRESETS.get(key) or known.get(key)
    if preset is None:
        raise InvalidQuery(f'Key "{key}" isn\'t configured')
    return {**_of_preset(preset), **given}


def resolve(values: Mapping[str, Any], source: Source, accept: str, largest: int) -> Transformation | None:
    """What to do with one file, None for serving the original.

    Raises:
        IllegalAssetTransformation: when the file is too large, or its sides are not known.
    """
    if not values or source.type not in TRANSFORMABLE:
        return None
    transforms = tuple(tuple(entry) for entry in values.get("transforms") or ())
    width, height = values.get("width"), values.get("height")
    asked = bool(transforms or values.get("format") or values.get("quality"))
    if source.width is None or source.height is None:
        if asked:
            raise IllegalAssetTransformation(["width", "height"])
        return None
    if not (asked or width or height):
        return None
    if source.width > largest or source.height > largest:
        raise IllegalAssetTransformation(["width", "height"])
    if values.get("withoutEnlargement"):
        width = min(width, source.width) if width else None
        height = min(height, source.height) if height else None
    made = Transformation(
        _format(values.get("format"), source.type, accept),
        values.get("quality"),
        width,
        height,
        values.get("fit") or "cover",
        _focal(values, source),
        transforms,
    )
    return replace(made, format=_last_encoder(transforms) or made.format) if transforms else made


def media_type(transformation: Transformation, stored: str) -> str:
    """The type of the produced image."""
    return TYPES.get(transformation.format, stored)


def _format(wanted: str | None, stored: str, accept: str) -> str:
    own = stored.removeprefix("image/")
    if wanted is None:
        return own
    if wanted == "auto":
        for name in ("avif", "webp"):
            if f"image/{name}" in accept:
                return name
        return "png" if own in ("avif", "webp", "tiff") else own
    return "jpeg" if wanted == "jpg" else wanted


def _last_encoder(transforms: Sequence[Sequence[Any]]) -> str | None:
    found = None
    for method, *arguments in transforms:
        if method in ENCODERS:
            found = method
        elif method == "toFormat" and arguments and arguments[0] in (*FORMATS, "gif"):
            found = "jpeg" if arguments[0] == "jpg" else str(arguments[0])
    return found if found != "auto" else None


def _focal(values: Mapping[str, Any], source: Source) -> tuple[int, int] | None:
    x = values.get("focal_point_x", source.focal_x)
    y = values.get("focal_point_y", source.focal_y)
    return None if x is None or y is None else (x, y)


def _of_preset(preset: Mapping[str, Any]) -> dict[str, Any]:
    """The usable members of a preset; administrators may have stored anything."""
    values: dict[str, Any] = {}
    for name in ("width", "height", "quality", "fit", "format", "withoutEnlargement"):
        value = preset.get(name)
        if value in (None, "", False):
            continue
        values[name] = _checked(name, str(value))
    listed = preset.get("transforms")
    if isinstance(listed, list):
        values["transforms"] = [_operation(entry) for entry in listed]
    return values


def _checked(name: str, text: str) -> Any:
    if name in ("width", "height"):
        return _number(name, text, 1, LARGEST_SIDE, "positive integer")
    if name in ("focal_point_x", "focal_point_y"):
        return _number(name, text, 0, 2**31 - 1, "positive integer")
    if name == "quality":
        return _number(name, text, 1, 100, "integer between 0 and 100")
    if name == "fit" and text not in FITS:
        raise InvalidQuery(f"Expected valid fit for fit but received {text} of type string.")
    if name == "format" and text not in (*FORMATS, "gif"):
        known = ", ".join(FORMATS)
        raise InvalidQuery(f"Expected one of: {known} for format but received {text} of type string.")
    return True if name == "withoutEnlargement" else text


def _number(name: str, text: str, low: int, high: int, expected: str) -> int:
    if len(text) < 12 and text.isascii() and text.isdigit() and low <= int(text) <= high:
        return int(text)
    kind = "number" if text.lstrip("-").isdigit() else "string"
    raise InvalidQuery(f"Expected {expected} for {name} but received {text[:40]} of type {kind}.")


_NO_ARRAY = '"transforms" Parameter needs to be a JSON array of allowed transformations'


def _transforms(text: str, most: int) -> list[list[Any]]:
    try:
        listed = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise InvalidQuery(_NO_ARRAY) from None
    if not isinstance(listed, list):
        raise InvalidQuery(_NO_ARRAY)
    if len(listed) > most:
        raise InvalidQuery(f'"transforms" Parameter is only allowed {most} transformations')
    return [_operation(entry) for entry in listed]


def _operation(entry: Any) -> list[Any]:
    if not isinstance(entry, list) or not entry:
        raise InvalidQuery(_NO_ARRAY)
    if not isinstance(entry[0], str) or entry[0] not in METHODS:
        raise InvalidQuery(f'"transforms" Parameter does not allow "{entry[0]}" as a transformation')
    return entry
