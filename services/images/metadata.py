"""What an image says about itself: size, EXIF, IPTC, XMP, ICC."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import pyvips
from PIL import ImageCms
from PIL.ExifTags import GPSTAGS, IFD, TAGS
from PIL.Image import Exif

from services.images.loading import open_image, shown_size

LONGEST = 4096
_IPTC = {
    5: "title",
    25: "keywords",
    55: "dateCreated",
    80: "byline",
    85: "bylineTitle",
    105: "headline",
    110: "credit",
    116: "copyright",
    120: "caption",
    122: "captionWriter",
    15: "category",
}
_XMP = ("title", "description", "rights", "creator", "subject")
_IPTC_RECORD = re.compile(rb"\x1c\x02(.)(..)", re.DOTALL)
_POINTERS = frozenset({IFD.Exif.value, IFD.GPSInfo.value, IFD.Interop.value})


def inspect(job: dict[str, Any]) -> dict[str, Any]:
    """Width and height as shown, and the sections of ``metadata`` in full, of the image at ``source``.

    Raises:
        BadImage
    """
    image = open_image(job["source"], job["pixels"], "none")
    width, height = shown_size(image)
    found = {
        **_exif(_blob(image, "exif-data")),
        "icc": _icc(_blob(image, "icc-profile-data")),
        "iptc": _iptc(_blob(image, "iptc-data")),
        "xmp": _xmp(_blob(image, "xmp-data")),
    }
    return {
        "width": width,
        "height": height,
        "pages": image.get_n_pages(),
        "metadata": {name: section for name, section in found.items() if section},
    }


def _blob(image: pyvips.Image, name: str) -> bytes:
    if not image.get_typeof(name):
        return b""
    value = image.get(name)
    return bytes(value) if isinstance(value, (bytes, bytearray)) else b""


def _exif(raw: bytes) -> dict[str, dict[str, Any]]:
    if not raw:
        return {}
    exif = Exif()
    try:
        exif.load(raw)
        return {
            "ifd0": _tags({key: value for key, value in exif.items() if key not in _POINTERS}, TAGS),
            "exif": _tags(exif.get_ifd(IFD.Exif), TAGS),
            "gps": _tags(exif.get_ifd(IFD.GPSInfo), GPSTAGS),
            "interop": _tags(exif.get_ifd(IFD.Interop), TAGS),
            "ifd1": _tags(exif.get_ifd(IFD.IFD1), TAGS),
        }
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, RuntimeError):
        return {}


def _tags(values: Mapping[Any, Any], names: Mapping[int, str]) -> dict[str, Any]:
    found = {names.get(key, str(key)): _plain(value) for key, value in values.items()}
    return {name: value for name, value in found.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "ignore")
    if isinstance(value, str):
        return value.replace("\0", "").strip()[:LONGEST]
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value[:LONGEST]]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else None
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None


def _icc(raw: bytes) -> dict[str, Any]:
    if not raw:
        return {}
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(raw)).profile
    except (OSError, ImageCms.PyCMSError):
        return {}
    found = {
        "version": _plain(profile.version),
        "colorSpace": _plain(profile.xcolor_space),
        "connectionSpace": _plain(profile.connection_space),
        "deviceClass": _plain(profile.device_class),
        "description": _plain(profile.profile_description),
        "copyright": _plain(profile.copyright),
        "manufacturer": _plain(profile.manufacturer),
        "model": _plain(profile.model),
    }
    return {name: value for name, value in found.items() if value}


def _iptc(raw: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    at = 0
    while match := _IPTC_RECORD.search(raw, at):
        length = int.from_bytes(match[2], "big")
        at = match.end()
        name = _IPTC.get(match[1][0])
        if name is None or length > 32_767 or at + length > len(raw):
            continue
        text = _plain(raw[at : at + length])
        at += length
        if name == "keywords":
            found.setdefault(name, []).append(text)
        else:
            found.setdefault(name, text)
    return found


def _xmp(raw: bytes) -> dict[str, Any]:
    if not raw or b"<!ENTITY" in raw:
        return {}
    try:
        tree = ElementTree.fromstring(raw.decode("utf-8", "ignore").strip("\0 \n\ufeff"))
    except (ElementTree.ParseError, ValueError):
        return {}
    found: dict[str, Any] = {}
    for name in _XMP:
        element = tree.find(f".//{{http://purl.org/dc/elements/1.1/}}{name}")
        if element is None:
            continue
        texts = [text for text in (_plain(part.text or "") for part in element.iter()) if text][:LONGEST]
        if texts:
            found[name] = texts[0] if len(texts) == 1 and name != "subject" else texts
    return found
