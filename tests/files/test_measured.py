"""Size and checksum of bytes that pass."""

import hashlib
import random
from collections.abc import AsyncIterator

import pytest

from domain.errors import ContentTooLarge
from services.files.upload import Measured


async def pieces(content: bytes, sizes: random.Random) -> AsyncIterator[bytes]:
    """The content in pieces of any size up to 400 kB."""
    start = 0
    while start < len(content):
        end = start + sizes.randrange(1, 400_000)
        yield content[start:end]
        start = end


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024 - 1, 1024 * 1024, 5_000_000])
async def test_what_passes_is_measured(size: int) -> None:
    content = random.Random(size).randbytes(size)
    measured = Measured()
    passed = b"".join([chunk async for chunk in measured.through(pieces(content, random.Random(7)), size)])
    assert passed == content
    assert measured.size == size
    assert measured.sha256 == hashlib.sha256(content).hexdigest()


async def test_one_byte_too_many_is_refused() -> None:
    passing = Measured().through(pieces(b"x" * 3_000_000, random.Random(7)), 2_999_999)
    with pytest.raises(ContentTooLarge):
        _ = [chunk async for chunk in passing]
