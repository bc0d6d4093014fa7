"""200 generated images of all formats, colour spaces, orientations and depths: size, orientation, colour.

Each variant is compared with what libvips makes of the whole decoded image, without shrinking while it loads.
The tests make each image a PNG and a WebP; `ACTA_CORPUS=all .ci/test tests/files/test_corpus.py` makes each
all formats in several sizes.
"""

import asyncio
import math
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pyvips
from PIL import Image, ImageCms
from PIL.ExifTags import Base

from domain.files.transforms import Transformation
from domain.settings_files import AssetsSettings
from services.images.pool import ImagePool

BOUNDS = {"png": 3.0, "webp": 8.0, "jpeg": 8.0, "tiff": 8.0, "avif": 10.0, "gif": 10.0}
"""Mean error of a variant, of 255; at 24 pixels most of it is the loss of the format."""
DITHERED = {"1": 12.0, "P": 12.0}
"""Dots of few colours: half a pixel further on is another colour, and enlarged they can't be compared."""
WIDTHS: dict[str, tuple[int, ...]] = {"png": (24,), "webp": (24,)}
if os.environ.get("ACTA_CORPUS") == "all":
    WIDTHS = dict.fromkeys(BOUNDS, (24, 31, 300))
SIZES = ((64, 48), (33, 77), (200, 150))
MODES = {
    "JPEG": ("RGB", "L", "CMYK"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "RGB 16 bits", "RGB in P3"),
    "WEBP": ("RGB", "RGBA"),
    "TIFF": ("L", "RGB", "RGBA", "CMYK", "I;16", "RGB 16 bits", "Lab"),
    "AVIF": ("RGB", "RGBA", "RGB 10 bits"),
    "GIF": ("P", "L"),
}
ORIENTED = ("JPEG", "PNG", "TIFF", "WEBP")


@dataclass(frozen=True)
class Sample:
    path: Path
    mode: str
    size: tuple[int, int]


def gradient(width: int, height: int, mode: str) -> Image.Image:
    """Soft colours, a different one in every corner."""
    across = Image.linear_gradient("L").rotate(90).resize((width, height))
    down = Image.linear_gradient("L").resize((width, height))
    if mode == "I;16":
        return (
            Image.merge("RGB", (across, down, across))
            .convert("L")
            .convert("I")
            .point(lambda v: v * 257)
            .convert("I;16")
        )
    image = Image.merge("RGB", (across, down, Image.new("L", (width, height), 90)))
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.new("L", (width, height), 200))
    return image if image.mode == mode else image.convert(mode)


def turned(turn: int) -> Image.Exif:
    """What tells an orientation."""
    exif = Image.Exif()
    exif[Base.Orientation] = turn
    return exif


def samples(folder: Path) -> Iterator[Sample]:
    chance = random.Random(3)
    number = 0
    while True:
        for form, modes in MODES.items():
            for mode in modes:
                size = SIZES[number % len(SIZES)]
                options: dict[str, Any] = {}
                turn = chance.randint(1, 8) if form in ORIENTED else 1
                if turn > 1:
                    options["exif"] = turned(turn)
                if mode == "RGB" and chance.random() < 0.3 and form != "GIF":
                    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
                    options["icc_profile"] = profile.tobytes()
                if form == "JPEG":
                    options |= {"quality": 95, "progressive": chance.random() < 0.5}
                if form == "WEBP":
                    options["lossless"] = chance.random() < 0.5
                path = folder / f"{number:03}-{turn}-{mode.replace(';', '')}.{form.lower()}"
                if " " in mode or mode == "Lab":
                    turn = save_special(path, gradient(*size, "RGB"), mode, turn)
                else:
                    gradient(*size, mode).save(path, form, **options)
                yield Sample(path, mode, size if turn < 5 else (size[1], size[0]))
                number += 1
                if number == 200:
                    return


def save_special(path: Path, plain: Image.Image, mode: str, turn: int) -> int:
    """What Pillow can't write; the orientation it has been given."""
    image = pyvips.Image.new_from_array(plain)
    options: dict[str, Any] = {}
    if mode == "RGB 16 bits":
        image = image.colourspace("rgb16")
    elif mode == "RGB 10 bits":
        image, options = image.colourspace("rgb16"), {"bitdepth": 10, "compression": "av1", "Q": 90}
    elif mode == "Lab":
        image = image.colourspace("lab")
    else:
        image = image.icc_transform("p3", input_profile="srgb")
    image = image.copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", turn)
    image.write_to_file(str(path), **options)
    return turn


def comparable(sample: Sample, wanted: str, width: int) -> bool:
    """Whether a variant can look the same: GIF is transparent or not, nothing between."""
    if wanted == "gif" and sample.mode in ("LA", "RGBA"):
        return False
    return sample.mode not in DITHERED or width < sample.size[0]


def in_colour(image: pyvips.Image) -> pyvips.Image:
    """sRGB over black, eight bits."""
    if image.interpretation == "cmyk" or image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", input_profile="cmyk", embedded=True)
    image = image.colourspace("srgb")
    return image.flatten() if image.hasalpha() else image


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return [*samples(tmp_path_factory.mktemp("corpus"))]


@pytest.mark.timeout(60 if len(WIDTHS) == 2 else 1800)
@pytest.mark.parametrize(("wanted", "width"), [(name, width) for name in WIDTHS for width in WIDTHS[name]])
async def test_variants_look_as_libvips_makes_them(
    corpus: list[Sample], wanted: str, width: int, tmp_path: Path
) -> None:
    settings = {"max_concurrent": 1000, "timeout": 60.0}
    pool = ImagePool(AssetsSettings().model_copy(update=settings))
    work = Transformation(wanted, None, width, None).wire()

    async def check(sample: Sample) -> str | None:
        target = tmp_path / f"{sample.path.name}.{wanted}"
        job = {"source": str(sample.path), "target": str(target), "pixels": 10**7, "sensitivity": "warning"}
        await pool.transform({**job, **work})
        made = in_colour(pyvips.Image.new_from_file(str(target)))
        height = max(1, round(sample.size[1] * width / sample.size[0]))
        if (made.width, made.height) != (width, height):
            return f"{sample.path.name}: {made.width}x{made.height}, not {width}x{height}"
        whole = in_colour(pyvips.Image.new_from_file(str(sample.path)).autorot())
        reference = whole.thumbnail_image(width, height=height, size="force")
        error = (made - reference).abs().avg()
        bound = DITHERED.get(sample.mode, BOUNDS[wanted])
        return None if error <= bound else f"{sample.path.name}: {error:.1f} of 255"

    fitting = [sample for sample in corpus if comparable(sample, wanted, width)]
    try:
        wrong = [text for text in await asyncio.gather(*map(check, fitting)) if text]
    finally:
        await pool.close()
    assert len(corpus) == 200
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
async def test_large_ones_look_the_same_although_they_are_decoded_smaller(form: str, tmp_path: Path) -> None:
    source = tmp_path / "large"
    image = gradient(1999, 1335, "RGB")
    # Rings, so that something would show that should not.
    waves = [round(127 + 127 * math.sin(number / 3)) for number in range(256)]
    rings = Image.radial_gradient("L").resize(image.size).point(waves)
    Image.blend(image, rings.convert("RGB"), 0.3).save(source, form, quality=95, exif=turned(6))
    whole = in_colour(pyvips.Image.new_from_file(str(source)).autorot())
    pool = ImagePool(AssetsSettings())
    job = {"source": str(source), "pixels": 10**7, "sensitivity": "warning"}
    try:
        for width in (20, 150, 333, 500, 700, 1334):
            target = tmp_path / f"{width}.png"
            await pool.transform({**job, "target": str(target), **Transformation("png", None, width).wire()})
            made = in_colour(pyvips.Image.new_from_file(str(target)))
            height = round(1999 * width / 1335)
            assert (made.width, made.height) == (width, height)
            reference = whole.thumbnail_image(width, height=height, size="force")
            assert (made - reference).abs().avg() < BOUNDS["png"], width
    finally:
        await pool.close()


async def test_animations_stay_animated(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (600, 400), (shade, 0, 255 - shade)) for shade in (0, 120, 250)]
    pool = ImagePool(AssetsSettings())
    try:
        for form in ("gif", "webp"):
            source, target = tmp_path / f"a.{form}", tmp_path / f"b.{form}"
            frames[0].save(source, save_all=True, append_images=frames[1:], duration=70, loop=0)
            for fit, width, height in (("cover", 20, 20), ("contain", 30, 30), ("inside", 30, 30)):
                job = {
                    "source": str(source),
                    "target": str(target),
                    "pixels": 10**7,
                    "sensitivity": "warning",
                }
                work = Transformation(form, None, width, height, fit).wire()
                await pool.transform({**job, **work})
                with Image.open(target) as image:
                    assert getattr(image, "n_frames", 1) == 3, (form, fit)
                    assert image.size == ((30, 20) if fit == "inside" else (width, height))
                    image.seek(2)
                    middle = image.convert("RGB").getpixel((10, 10))
                    assert isinstance(middle, tuple)
                    assert (middle[0] > 240, middle[2] < 15) == (True, True), (form, fit, middle)
    finally:
        await pool.close()


async def test_a_process_that_hangs_or_dies_is_replaced(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    gradient(3000, 3000, "RGB").save(source)
    slow = AssetsSettings().model_copy(update={"timeout": 0.05, "processes": 1})
    pool = ImagePool(slow)
    job = {"source": str(source), "target": str(tmp_path / "b.avif"), "pixels": 10**7, "sensitivity": "none"}
    job |= Transformation("avif").wire()
    try:
        with pytest.raises(Exception, match="timed out"):
            await pool.transform(job)
        pool.settings = AssetsSettings().model_copy(update={"processes": 1, "memory": 60_000_000})
        with pytest.raises(Exception, match="Illegal asset transformation"):
            await pool.transform(job)
        pool.settings = AssetsSettings()
        small = {**job, **Transformation("png", None, 10).wire(), "target": str(tmp_path / "c.png")}
        assert (await pool.transform(small))["width"] == 10
    finally:
        await pool.close()
