"""Assets: headers, ranges, conditions, rights, transformations."""

import asyncio
import json
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.support.files import Files, Part, files, opened, picture
from tests.support.server import Server, running_server

HUNDRED = bytes(range(100))


async def test_headers_of_an_original(api: Files) -> None:
    record = await api.upload(HUNDRED, "a.bin", "application/x-thing", filename_download='a "quoted" ü.bin')
    status, headers, content = await api.fetch(f"/assets/{record['id']}.bin")
    assert (status, content) == (200, HUNDRED)
    assert headers["Content-Type"] == "application/x-thing"
    assert headers["Content-Length"] == "100"
    assert headers["Cache-Control"] == "private, max-age=2592000"
    assert headers["Vary"] == "Origin, Cache-Control"
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Content-Security-Policy"] == "default-src 'none'"
    assert headers["ETag"].strip('"').isdigit()
    assert "Last-Modified" in headers
    assert "X-Request-Id" in headers
    name = quote('a "quoted" ü.bin', safe="")
    assert headers["Content-Disposition"] == f"inline; filename=\"a ?quoted? ?.bin\"; filename*=UTF-8''{name}"
    _, headers, _ = await api.fetch(f"/assets/{record['id']}/other.bin?download=false")
    assert headers["Content-Disposition"] == 'attachment; filename="other.bin"'
    condition = {"If-None-Match": headers["ETag"]}
    assert (await api.fetch(f"/assets/{record['id']}", headers=condition))[0] == 200


@pytest.mark.parametrize("size", [100, 3_000_000])
async def test_ranges(api: Files, size: int) -> None:
    content = (HUNDRED * (size // 100))[:size]
    record = await api.upload(content, "a.bin")
    path = f"/assets/{record['id']}"
    expected = {
        "bytes=0-9": (0, 9),
        "bytes=10-": (10, size - 1),
        "bytes=0-": (0, size - 1),
        "bytes=-10": (size - 10, size - 1),
        f"bytes=-{5 * size}": (0, size - 1),
        f"bytes=90-{5 * size}": (90, size - 1),
        "bytes=1-3,7-8": (1, 3),
    }
    for header, (start, end) in expected.items():
        status, headers, part = await api.fetch(path, headers={"Range": header})
        assert (status, part) == (206, content[start : end + 1]), header
        assert headers["Content-Range"] == f"bytes {start}-{end}/{size}"
    for header in ("bytes=0-0", "bytes=5-2", f"bytes={size}-", "bytes=-", "bytes=x", "bytes=-0"):
        status, _, body = await api.fetch(path, headers={"Range": header})
        assert status == 416, header
        assert json.loads(body)["errors"][0]["extensions"]["code"] == "RANGE_NOT_SATISFIABLE"
    assert (await api.fetch(path, headers={"Range": "lines=1-2"}))[0] == 200
    status, headers, part = await api.fetch(path, "HEAD", {"Range": "bytes=0-9"})
    assert (status, headers["Content-Length"], part) == (200, str(size), b"")
    assert headers["Content-Range"] == f"bytes 0-9/{size}"
    # The connection is still good after a large file and after HEAD.
    assert (await api.fetch(path))[2] == content


async def test_rights_decide_on_name_and_dates(api: Files, server: Server) -> None:
    record = await api.upload(b"text", "a.txt", "text/plain")
    async with files(server, None) as nobody:
        path = f"/assets/{record['id']}"
        assert (await nobody.fetch(path))[0] == 403
        rule = {
            "policy": "abf8a154-5b1c-4a46-ac9c-7300570f4f17",
            "collection": "directus_files",
            "action": "read",
            "fields": ["id", "title"],
            "permissions": {"type": {"_eq": "text/plain"}},
        }
        made = await api.post("/permissions", rule)
        status, headers, content = await nobody.fetch(path)
        assert (status, content) == (200, b"text")
        assert headers["Content-Disposition"] == f'inline; filename="{record["id"]}"'
        assert headers["Cache-Control"].startswith("public, ")
        assert "ETag" not in headers
        assert "Last-Modified" not in headers
        logo = await api.upload(picture(20, 10), "logo.jpg", "image/jpeg")
        assert (await nobody.fetch(f"/assets/{logo['id']}"))[0] == 403
        await api.patch("/settings", {"project_logo": logo["id"]})
        assert (await nobody.fetch(f"/assets/{logo['id']}?width=5"))[0] == 200
        await api.patch("/settings", {"project_logo": None})
        await api.delete(f"/permissions/{made.data['id']}")


async def test_unknown_and_missing_files_are_forbidden(api: Files, storage: Path) -> None:
    record = await api.upload(picture(20, 10), "a.jpg", "image/jpeg")
    (storage / record["filename_disk"]).unlink()
    for path in (
        "/assets/x",
        f"/assets/{uuid4()}",
        f"/assets/{record['id']}",
        f"/assets/{record['id']}?width=5",
    ):
        status, _, body = await api.fetch(path)
        assert (status, json.loads(body)["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN"), path


async def test_sizes_and_formats(api: Files) -> None:
    record = await api.upload(picture(400, 300), "a.jpg", "image/jpeg")
    path = f"/assets/{record['id']}"
    expected = {
        "width=200": ("JPEG", 200, 150),
        "height=60": ("JPEG", 80, 60),
        "width=100&height=100": ("JPEG", 100, 100),
        "width=100&height=100&fit=contain": ("JPEG", 100, 100),
        "width=100&height=100&fit=inside": ("JPEG", 100, 75),
        "width=100&height=100&fit=outside": ("JPEG", 133, 100),
        "width=100&height=100&fit=fill&format=png": ("PNG", 100, 100),
        "width=800": ("JPEG", 800, 600),
        "width=1000&height=100&withoutEnlargement=false": ("JPEG", 400, 100),
        "format=webp": ("WEBP", 400, 300),
        "format=tiff&width=50": ("TIFF", 50, 38),
        "format=avif&width=40": ("AVIF", 40, 30),
        "format=gif&width=40": ("GIF", 40, 30),
        "quality=10": ("JPEG", 400, 300),
        "key=system-small-contain": ("JPEG", 64, 48),
        'transforms=[["rotate",90],["resize",{"width":30}]]&format=png': ("PNG", 30, 40),
        'transforms=[["blur",2],["toFormat","webp"]]&width=40': ("WEBP", 40, 30),
    }
    for query, wanted in expected.items():
        status, headers, content = await api.fetch(f"{path}?{query}")
        assert status == 200, (query, content)
        image = opened(content)
        assert (image.format, *image.size) == wanted, query
        assert headers["Content-Type"] == f"image/{str(image.format).lower()}"
        again, _, same = await api.fetch(f"{path}?{query}")
        assert (again, same) == (200, content)


async def test_format_auto_looks_at_accept(api: Files) -> None:
    record = await api.upload(picture(40, 30, "WEBP"), "a.webp", "image/webp")
    path = f"/assets/{record['id']}?format=auto"
    for accept, wanted in (("image/avif,image/webp", "AVIF"), ("image/webp", "WEBP"), ("*/*", "PNG")):
        _, headers, content = await api.fetch(path, headers={"Accept": accept})
        assert opened(content).format == wanted
        assert headers["Vary"] == "Origin, Cache-Control, Accept"


async def test_focal_points(api: Files) -> None:
    record = await api.upload(picture(400, 100, "PNG"), "a.png", "image/png")
    path = f"/assets/{record['id']}"

    async def red(query: str) -> int:
        """How far to the right the middle of the cut lies, 0 to 255."""
        _, _, content = await api.fetch(f"{path}?width=100&height=100&{query}")
        pixel = opened(content).convert("RGB").getpixel((50, 50))
        assert isinstance(pixel, tuple)
        return int(pixel[0])

    centre, left, right = (
        await red("x=1"),
        await red("focal_point_x=0&focal_point_y=0"),
        await red("focal_point_x=399&focal_point_y=0"),
    )
    assert sorted({left, centre, right}) in ([left, centre, right], [right, centre, left])
    assert abs(left - right) > 120
    await api.patch(f"/files/{record['id']}", {"focal_point_x": 0, "focal_point_y": 50})
    assert await red("y=2") == left
    assert await red("focal_point_x=399") == right


@pytest.mark.parametrize(
    "query",
    [
        "width=0", "width=-5", "width=abc", "width=99999999999999999999", "width=1e3", "height=2.5",
        "fit=stretch", "format=bmp", "quality=0", "quality=101", "key=nothing", "focal_point_x=-1",
        "transforms=x", "transforms={}", 'transforms=["blur"]', 'transforms=[["system"]]', "transforms=[[]]",
        'transforms=[["blur","x"]]', 'transforms=[["extract",{}]]', 'transforms=[[["blur"]]]',
        'transforms=[["flip"],["flip"],["flip"],["flip"],["flip"],["flip"]]', 'transforms=[[{"a":1}]]',
    ],
)  # fmt: skip
async def test_bad_parameters(api: Files, query: str) -> None:
    record = await api.upload(picture(40, 30), "a.jpg", "image/jpeg")
    status, _, body = await api.fetch(f"/assets/{record['id']}?{query}")
    assert (status, json.loads(body)["errors"][0]["extensions"]["code"]) == (400, "INVALID_QUERY")


async def test_what_the_project_allows(api: Files) -> None:
    record = await api.upload(picture(400, 300), "a.jpg", "image/jpeg")
    path = f"/assets/{record['id']}"

    async def status(query: str) -> int:
        return (await api.fetch(f"{path}?{query}"))[0]

    presets = [
        {"key": "thumb", "width": 40, "height": 40, "fit": "cover", "quality": 50},
        {"key": "bad", "fit": 3},
    ]
    try:
        await api.patch("/settings", {"storage_asset_presets": presets})
        _, _, content = await api.fetch(f"{path}?key=thumb&width=80")
        assert opened(content).size == (80, 40)
        assert await status("key=bad") == 400
        await api.patch("/settings", {"storage_asset_transform": "presets"})
        assert await status("key=thumb") == 200
        assert await status("key=system-small-cover") == 200
        assert await status("key=thumb&width=80") == 400
        assert await status("width=") == 400
        assert await status("transforms=[]") == 200
        await api.patch("/settings", {"storage_asset_transform": "none"})
        assert await status("key=thumb") == 400
        assert await status("key=system-small-cover") == 200
        assert await status("cachebuster=1") == 200
    finally:
        await api.patch("/settings", {"storage_asset_transform": "all", "storage_asset_presets": None})


async def test_what_settings_change(served_url: str, storage: Path) -> None:
    extra = {
        "STORAGE_LOCAL_ROOT": str(storage),
        "ASSETS_CACHE_TTL": "1h",
        "ASSETS_INVALID_IMAGE_SENSITIVITY_LEVEL": "none",
        "ASSETS_CONTENT_SECURITY_POLICY_DIRECTIVES__MEDIA_SRC": "array:'self',https://example.com",
    }
    with running_server(served_url, "--no-followers", extra=extra) as other:
        async with files(other) as api:
            record = await api.upload(b"x", "a.txt", "text/plain")
            _, headers, _ = await api.fetch(f"/assets/{record['id']}")
            half = await api.upload(picture(400, 300)[:3000], "half.jpg", "image/jpeg")
            status, _, content = await api.fetch(f"/assets/{half['id']}?width=20")
            assert (status, opened(content).size) == (200, (20, 15))
    assert headers["Content-Security-Policy"] == "default-src 'none';media-src 'self' https://example.com"
    assert headers["Cache-Control"] == "private, max-age=3600"


async def test_other_types_come_as_they_are(api: Files) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    record = await api.upload(svg, "a.svg", "image/svg+xml")
    status, headers, content = await api.fetch(f"/assets/{record['id']}?width=10")
    assert (status, content) == (200, svg)
    assert headers["Content-Security-Policy"] == "default-src 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    status, _, _ = await api.fetch(f"/assets/{record['id']}?width=x")
    assert status == 400


BOMB = picture(7000, 10, "PNG")
BROKEN = {
    "truncated": picture(400, 300)[:3000],
    "svg named png": b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>',
    "pdf named png": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
    "text named png": b"no image at all",
    "empty": b"",
    "zip behind a jpeg": picture(40, 30)[:200] + b"PK\x03\x04" + b"\0" * 500,
    "too wide": BOMB,
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_no_image_is_refused(api: Files, name: str) -> None:
    record = await api.upload(BROKEN[name], "a.png", "image/png")
    for query in ("format=webp", "quality=5", 'transforms=[["flip"]]'):
        status, _, body = await api.fetch(f"/assets/{record['id']}?{query}")
        code = json.loads(body)["errors"][0]["extensions"]["code"]
        assert (status, code) == (400, "ILLEGAL_ASSET_TRANSFORMATION"), (query, body)
    # With sides that somebody claims it has, it is opened, and still refused.
    await api.patch(f"/files/{record['id']}", {"width": 10, "height": 10})
    status, _, body = await api.fetch(f"/assets/{record['id']}?width=5&format=png&q={uuid4()}")
    assert status in (200, 400)
    assert (status == 200) <= (name in ("too wide", "truncated", "zip behind a jpeg"))


async def test_one_transformation_however_many_ask(api: Files, storage: Path) -> None:
    record = await api.upload(picture(2000, 1500), "a.jpg", "image/jpeg")
    answers = await asyncio.gather(
        *(api.fetch(f"/assets/{record['id']}?width=333&format=webp") for _ in range(60))
    )
    assert {status for status, _, _ in answers} == {200}
    assert len({content for _, _, content in answers}) == 1


async def test_too_many_at_once_are_asked_to_come_back(api: Files) -> None:
    record = await api.upload(picture(3000, 2000), "a.jpg", "image/jpeg")
    answers = await asyncio.gather(
        *(api.fetch(f"/assets/{record['id']}?width={width}&format=webp") for width in range(500, 560))
    )
    refused = [headers for status, headers, _ in answers if status == 503]
    assert {status for status, _, _ in answers} == {200, 503}
    assert all(headers["Retry-After"] for headers in refused)
    assert (await api.fetch(f"/assets/{record['id']}?width=77"))[0] == 200


async def test_a_variant_that_is_kept_in_memory_is_guarded_like_any_other(api: Files, server: Server) -> None:
    record = await api.upload(picture(40, 30), "a.jpg", "image/jpeg")
    path = f"/assets/{record['id']}?width=20"
    _, headers, content = await api.fetch(path)
    again = await api.fetch(path)
    assert (again[0], again[2], again[1]["Content-Type"]) == (200, content, headers["Content-Type"])
    async with files(server, None) as nobody:
        assert (await nobody.fetch(path))[0] == 403
    new = picture(40, 30, "PNG")
    await api.send("PATCH", f"/files/{record['id']}", [Part("file", new, "b.png", "image/png")])
    assert opened((await api.fetch(path))[2]).format == "PNG"
    await api.delete(f"/files/{record['id']}")
    assert (await api.fetch(path))[0] == 403


async def test_a_file_that_goes_while_it_is_transformed_leaves_nothing(api: Files, storage: Path) -> None:
    record = await api.upload(picture(4000, 3000), "a.jpg", "image/jpeg")
    asking = asyncio.create_task(api.fetch(f"/assets/{record['id']}?format=png"))
    await asyncio.sleep(0.15)
    assert (await api.delete(f"/files/{record['id']}")).status == 204
    status, _, _ = await asking
    assert status in (200, 403)
    assert [path for path in storage.rglob("*") if record["id"] in path.name] == []


async def test_metadata(api: Files) -> None:
    from PIL import Image
    from PIL.ExifTags import Base

    exif = Image.Exif()
    exif[Base.Make] = "  Maker "
    exif[Base.Orientation] = 6
    exif[Base.Artist] = "hidden"
    record = await api.upload(picture(40, 20, exif=exif), "a.jpg", "image/jpeg")
    assert (record["width"], record["height"]) == (20, 40)
    assert record["metadata"] == {"ifd0": {"Make": "Maker"}}
    sizes = {
        "quality=80": (20, 40),
        "width=10": (10, 20),
        # Who turns it himself means what is stored, and it is not turned again when it is resized.
        'transforms=[["rotate",90]]&width=10': (10, 20),
        'transforms=[["rotate",180]]': (40, 20),
        'transforms=[["rotate",180],["resize",{"width":10}]]': (10, 5),
        'transforms=[["rotate",null]]': (20, 40),
        'transforms=[["flip"]]&width=10': (10, 20),
    }
    for query, size in sizes.items():
        _, _, content = await api.fetch(f"/assets/{record['id']}?{query}")
        assert opened(content).size == size, query
    plain = await api.send("PATCH", f"/files/{record['id']}", [Part("file", b"text", "a.txt", "text/plain")])
    assert (plain.data["width"], plain.data["type"]) == (20, "text/plain")


@pytest.mark.parametrize("repeated", [False, True])
async def test_metadata_that_is_huge(api: Files, repeated: bool) -> None:
    entry = "<rdf:li>" + "x" * (4096 if repeated else 20_000_000) + "</rdf:li>"
    xmp = (
        '<x xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:subject>{entry * (5000 if repeated else 1)}</dc:subject></x>"
    )
    record = await api.upload(picture(20, 10, "WEBP", xmp=xmp.encode()), "a.webp", "image/webp")
    assert record["title"] == "A"
    # Texts are cut; of what is too much even so, nothing is kept.
    assert record["width"] == (None if repeated else 20)
