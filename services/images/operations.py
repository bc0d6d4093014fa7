"""The methods of ``transforms``, with the meaning their names have in libvips and its best-known wrapper.

Arguments come from a client: each method takes what it understands of them and refuses the rest by raising
`BadOperation`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pyvips

from services.images.resizing import finish, geometry

Image: TypeAlias = Any
LARGEST = 16_384


class BadOperation(Exception):
    """Arguments that a method can't be called with; the text names the method."""


def apply(image: Image, method: str, arguments: list[Any]) -> Image:
    """One step. Raises BadOperation, pyvips.Error."""
    try:
        return _METHODS[method](image, arguments)
    except (TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
        raise BadOperation(method) from error


def _number(value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(value)
    return float(value)


def _whole(value: Any, low: int, high: int) -> int:
    number = _number(value, low, high)
    if number != int(number):
        raise ValueError(value)
    return int(number)


def _options(arguments: list[Any]) -> Mapping[str, Any]:
    found = next((entry for entry in arguments if isinstance(entry, Mapping)), None)
    return found or {}


def _first(arguments: list[Any], default: Any = None) -> Any:
    return arguments[0] if arguments else default


def _resize(image: Image, arguments: list[Any]) -> Image:
    options = _options(arguments)
    sides = [entry for entry in arguments if not isinstance(entry, Mapping)] + [None, None]
    width = options.get("width", sides[0])
    height = options.get("height", sides[1])
    fit = options.get("fit", "cover")
    if fit not in ("cover", "contain", "inside", "outside", "fill") or not (width or height):
        raise ValueError(fit)
    job = {
        "width": None if width is None else _whole(width, 1, LARGEST),
        "height": None if height is None else _whole(height, 1, LARGEST),
        "fit": fit,
        "focal": None,
    }
    if options.get("withoutEnlargement"):
        job["width"] = job["width"] and min(job["width"], image.width)
        job["height"] = job["height"] and min(job["height"], image.height)
    wanted = geometry((image.width, image.height), job)
    return finish(image.thumbnail_image(wanted.width, height=wanted.height, size="force"), wanted)


def _extend(image: Image, arguments: list[Any]) -> Image:
    given = _first(arguments, 0)
    sides = given if isinstance(given, Mapping) else dict.fromkeys(("top", "bottom", "left", "right"), given)
    top, bottom, left, right = (
        _whole(sides.get(name, 0), 0, LARGEST) for name in ("top", "bottom", "left", "right")
    )
    colour = _colour(sides.get("background", {}), image)
    return image.embed(
        left, top, image.width + left + right, image.height + top + bottom,
        extend="background", background=colour,
    )  # fmt: skip


def _extract(image: Image, arguments: list[Any]) -> Image:
    region = _options(arguments)
    left, top = (_whole(region[name], 0, LARGEST) for name in ("left", "top"))
    width, height = (_whole(region[name], 1, LARGEST) for name in ("width", "height"))
    return image.crop(left, top, width, height)


def _trim(image: Image, arguments: list[Any]) -> Image:
    given = _options(arguments).get("threshold", _first(arguments, 10))
    threshold = _number(10 if isinstance(given, Mapping) else given, 0, 65_535)
    left, top, width, height = image.find_trim(threshold=threshold, background=image(0, 0))
    return image.crop(left, top, width, height) if width and height else image


def _rotate(image: Image, arguments: list[Any]) -> Image:
    if not arguments or arguments[0] is None:
        return image.autorot()
    angle = _number(arguments[0], -36_000, 36_000) % 360
    if angle % 90 == 0:
        return image if angle == 0 else image.rot(f"d{int(angle)}")
    return image.rotate(angle, background=_colour(_options(arguments).get("background", {}), image))


def _colour(given: Any, image: Image) -> list[float]:
    members = given if isinstance(given, Mapping) else {}
    if isinstance(given, str) and len(given) == 7 and given[0] == "#":
        members = {name: int(given[at : at + 2], 16) for name, at in (("r", 1), ("g", 3), ("b", 5))}
    rgb = [_number(members.get(name, 0), 0, 255) for name in ("r", "g", "b")]
    if image.bands < 3:
        rgb = [sum(rgb) / 3]
    return rgb + ([255.0 * _number(members.get("alpha", 1), 0, 1)] if image.hasalpha() else [])


def _sharpen(image: Image, arguments: list[Any]) -> Image:
    options = _options(arguments)
    sigma = options.get("sigma", _first(arguments))
    if sigma is None or isinstance(sigma, Mapping):
        kernel = pyvips.Image.new_from_array([[-1, -1, -1], [-1, 32, -1], [-1, -1, -1]], scale=24)
        return image.conv(kernel).cast(image.format)
    return image.sharpen(sigma=_number(sigma, 0.01, 10)).cast(image.format)


def _median(image: Image, arguments: list[Any]) -> Image:
    return image.median(_whole(_first(arguments, 3), 1, 99))


def _blur(image: Image, arguments: list[Any]) -> Image:
    if not arguments or arguments[0] is True:
        return image.conv(pyvips.Image.new_from_array([[1, 1, 1]] * 3, scale=9)).cast(image.format)
    sigma = arguments[0].get("sigma") if isinstance(arguments[0], Mapping) else arguments[0]
    return image.gaussblur(_number(sigma, 0.3, 100))


def _flatten(image: Image, arguments: list[Any]) -> Image:
    if not image.hasalpha():
        return image
    background = _colour(_options(arguments).get("background", {}), image)[:-1]
    return image.flatten(background=background)


def _gamma(image: Image, arguments: list[Any]) -> Image:
    return _without_alpha(image, lambda part: part.gamma(exponent=1 / _number(_first(arguments, 2.2), 1, 3)))


def _negate(image: Image, arguments: list[Any]) -> Image:
    if _options(arguments).get("alpha", True):
        return image.invert()
    return _without_alpha(image, lambda part: part.invert())


def _normalise(image: Image, arguments: list[Any]) -> Image:
    def spread(part: Image) -> Image:
        luminance = part.colourspace("b-w") if part.bands > 1 else part
        low, high = luminance.percent(1), luminance.percent(99)
        return ((part - low) * (255 / (high - low))).cast("uchar") if high > low else part

    return _without_alpha(image, spread)


def _clahe(image: Image, arguments: list[Any]) -> Image:
    options = _options(arguments)
    slope = _whole(options.get("maxSlope", 3), 0, 100)
    width, height = (_whole(options[name], 1, min(LARGEST, 512)) for name in ("width", "height"))
    return image.hist_local(min(width, image.width), min(height, image.height), max_slope=slope)


def _convolve(image: Image, arguments: list[Any]) -> Image:
    options = _options(arguments)
    width, height = (_whole(options[name], 3, 31) for name in ("width", "height"))
    values = [_number(value, -1e6, 1e6) for value in options["kernel"]]
    if len(values) != width * height:
        raise ValueError("kernel")
    rows = [values[at : at + width] for at in range(0, len(values), width)]
    scale = _number(options.get("scale", sum(values) or 1), -1e9, 1e9)
    kernel = pyvips.Image.new_from_array(
        rows, scale=scale or 1, offset=_number(options.get("offset", 0), -1e6, 1e6)
    )
    return image.conv(kernel).cast(image.format)


def _threshold(image: Image, arguments: list[Any]) -> Image:
    level = _whole(_first(arguments, 128), 0, 255)
    keep = (
        len(arguments) > 1
        and _options(arguments).get("greyscale", _options(arguments).get("grayscale")) is False
    )
    return (image if keep else image.colourspace("b-w")) >= level


def _linear(image: Image, arguments: list[Any]) -> Image:
    factors = [*arguments, None, None]
    gain = factors[0] if factors[0] is not None else 1
    offset = factors[1] if factors[1] is not None else 0
    gains = [_number(value, -1e6, 1e6) for value in (gain if isinstance(gain, list) else [gain])]
    offsets = [_number(value, -1e6, 1e6) for value in (offset if isinstance(offset, list) else [offset])]
    return _without_alpha(image, lambda part: part.linear(gains, offsets).cast(image.format))


def _recomb(image: Image, arguments: list[Any]) -> Image:
    rows = [[_number(value, -1e6, 1e6) for value in row] for row in arguments[0]]
    if len(rows) != 3 or any(len(row) != 3 for row in rows):
        raise ValueError("matrix")
    return _without_alpha(
        image, lambda part: part.recomb(pyvips.Image.new_from_array(rows)).cast(image.format)
    )


def _modulate(image: Image, arguments: list[Any]) -> Image:
    options = _options(arguments)
    brightness = _number(options.get("brightness", 1), 0, 1000)
    saturation = _number(options.get("saturation", 1), 0, 1000)
    lightness = _number(options.get("lightness", 0), -1000, 1000)
    hue = _number(options.get("hue", 0), -36_000, 36_000) % 360

    def modulated(part: Image) -> Image:
        lch = part.colourspace("lch").linear([brightness, saturation, 1], [lightness, 0, hue])
        return lch.copy(interpretation="lch").colourspace("srgb")

    return _without_alpha(image, modulated)


def _tint(image: Image, arguments: list[Any]) -> Image:
    colour = _colour(_first(arguments, {}), image.colourspace("srgb").extract_band(0, n=3))

    def tinted(part: Image) -> Image:
        tone = pyvips.Image.black(1, 1).bandjoin([0, 0]) + colour
        lab = tone.copy(interpretation="srgb").colourspace("lab")(0, 0)
        light = part.colourspace("lab")[0]
        return light.bandjoin([lab[1], lab[2]]).copy(interpretation="lab").colourspace("srgb")

    return _without_alpha(image, tinted)


def _greyscale(image: Image, arguments: list[Any]) -> Image:
    return image if _first(arguments, True) is False else image.colourspace("b-w")


_SPACES = {"srgb": "srgb", "rgb": "srgb", "b-w": "b-w", "grey": "b-w", "gray": "b-w", "rgb16": "rgb16"}


def _to_space(image: Image, arguments: list[Any]) -> Image:
    return image.colourspace(_SPACES[str(_first(arguments, "srgb")).lower()])


def _remove_alpha(image: Image, arguments: list[Any]) -> Image:
    return image.extract_band(0, n=image.bands - 1) if image.hasalpha() else image


def _ensure_alpha(image: Image, arguments: list[Any]) -> Image:
    return image if image.hasalpha() else image.bandjoin(255 * _number(_first(arguments, 1), 0, 1))


def _extract_channel(image: Image, arguments: list[Any]) -> Image:
    names = {"red": 0, "green": 1, "blue": 2, "alpha": image.bands - 1}
    wanted = _first(arguments)
    band = names[wanted] if isinstance(wanted, str) else _whole(wanted, 0, image.bands - 1)
    return image.extract_band(band).copy(interpretation="b-w")


def _bandbool(image: Image, arguments: list[Any]) -> Image:
    operation = str(_first(arguments))
    if operation not in ("and", "or", "eor"):
        raise ValueError(operation)
    return image.bandbool(operation).copy(interpretation="b-w")


def _without_alpha(image: Image, work: Callable[[Image], Image]) -> Image:
    if not image.hasalpha():
        return work(image)
    alpha = image.extract_band(image.bands - 1)
    return work(image.extract_band(0, n=image.bands - 1)).bandjoin(alpha)


_METHODS: Mapping[str, Callable[[Image, list[Any]], Image]] = {
    "resize": _resize,
    "extend": _extend,
    "extract": _extract,
    "trim": _trim,
    "rotate": _rotate,
    "flip": lambda image, _: image.flipver(),
    "flop": lambda image, _: image.fliphor(),
    "sharpen": _sharpen,
    "median": _median,
    "blur": _blur,
    "flatten": _flatten,
    "gamma": _gamma,
    "negate": _negate,
    "normalise": _normalise,
    "normalize": _normalise,
    "clahe": _clahe,
    "convolve": _convolve,
    "threshold": _threshold,
    "linear": _linear,
    "recomb": _recomb,
    "modulate": _modulate,
    "tint": _tint,
    "greyscale": _greyscale,
    "grayscale": _greyscale,
    "toColorspace": _to_space,
    "toColourspace": _to_space,
    "removeAlpha": _remove_alpha,
    "ensureAlpha": _ensure_alpha,
    "extractChannel": _extract_channel,
    "bandbool": _bandbool,
}
