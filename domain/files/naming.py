"""Titles, extensions and types of files, from what a client says about them."""

from __future__ import annotations

import fnmatch
import mimetypes
import re
from collections.abc import Sequence

_SMALL = frozenset(
    (
        "a", "an", "and", "as", "at", "but", "by", "en", "for", "from", "how", "if", "in", "neither",
        "nor", "of", "on", "only", "onto", "out", "or", "per", "so", "than", "that", "the", "to",
        "until", "up", "upon", "v", "via", "vs", "when", "with", "without", "yet",
    )
)  # fmt: skip
_SPELLED = {
    name.lower(): name
    for name in (
        "API", "BMP", "CDN", "CMS", "CPU", "CSS", "CSV", "DNS", "FAQ", "GIF", "GPS", "GPU", "HTML",
        "HTTP", "HTTPS", "ID", "IP", "JPEG", "JPG", "JSON", "JWT", "MP3", "MP4", "OAuth", "PDF", "PHP",
        "PNG", "RAM", "REST", "RSS", "SDK", "SEO", "SMS", "SMTP", "SQL", "SSH", "SSL", "SVG", "TLS",
        "TV", "UI", "URI", "URL", "USA", "USB", "UTF", "UUID", "UX", "VIP", "VPN", "WebP", "WiFi",
        "XML", "XMP", "YAML", "iOS", "iPad", "iPhone", "iPod", "macOS", "GitHub", "GitLab",
        "JavaScript", "TypeScript", "LinkedIn", "YouTube", "WordPress", "MySQL", "PostgreSQL",
        "GraphQL",
    )
}  # fmt: skip
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\s_-]+")
_EXTENSION = re.compile(r"\.[^./\\\s]{1,32}$")
_USUAL = {
    "image/jpeg": ".jpg",
    "text/plain": ".txt",
    "image/tiff": ".tif",
    "image/webp": ".webp",
    "image/avif": ".avif",
    "application/octet-stream": ".bin",
    "audio/mpeg": ".mp3",
}


def title_of(filename: str, *, with_extension: bool = False) -> str:
    """A title for people: words apart and capitalised, ``my-cool_image file.PNG`` is My Cool Image File."""
    name, extension = split_extension(filename)
    words = [word for word in _WORDS.split(name) if word]
    last = len(words) - 1
    title = " ".join(_word(word, place in (0, last)) for place, word in enumerate(words))
    return (title + (extension if with_extension else "") or filename)[:255]


def _word(word: str, outer: bool) -> str:
    lower = word.lower()
    if lower in _SPELLED:
        return _SPELLED[lower]
    if lower in _SMALL and not outer:
        return lower
    return word[:1].upper() + lower[1:]


def split_extension(filename: str) -> tuple[str, str]:
    """Name and extension with its dot; a name that only begins with a dot has none."""
    found = _EXTENSION.search(filename)
    if found is None or found.start() == 0:
        return filename, ""
    return filename[: found.start()], found.group()


def disk_name(identifier: str, filename: str, media_type: str | None) -> str:
    """The name of an object: the id and the extension as written, else the usual one of the type."""
    extension = split_extension(filename)[1]
    if not extension or not extension.isprintable():
        extension = usual_extension(media_type)
    return identifier + extension


def usual_extension(media_type: str | None) -> str:
    """The extension files of a type commonly have."""
    if not media_type:
        return ""
    return _USUAL.get(media_type) or mimetypes.guess_extension(media_type) or ""


def clean_filename(name: str) -> str:
    """A name without folders and control characters, as long as its column at most."""
    base = re.split(r"[/\\]", name)[-1]
    base = "".join(character for character in base if character.isprintable())
    base = base.encode("utf-8", "replace").decode("utf-8")
    if len(base) <= 255:
        return base
    stem, extension = split_extension(base)
    return stem[: 255 - len(extension)] + extension


def allowed_type(media_type: str, patterns: Sequence[str]) -> bool:
    """Whether a type fits one of the patterns (``image/*``)."""
    lower = media_type.lower()
    return any(fnmatch.fnmatchcase(lower, pattern.strip().lower()) for pattern in patterns)
