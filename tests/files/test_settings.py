"""Settings of files and assets that are not as they are by default."""

import io
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from PIL import Image, ImageCms
from PIL.ExifTags import GPS, IFD, Base

from tests.support.files import Files, Part, files, picture
from tests.support.server import Server

SETTINGS = {
    "ASSETS_CACHE_REVALIDATE": "true",
    "FILES_DELETE_ORIGINAL_ON_MOVE": "true",
    "FILE_METADATA_ALLOW_LIST": "*",
}


async def test_clients_that_ask_again_are_told_that_nothing_changed(api: Files, server: Server) -> None:
    record = await api.upload(picture(40, 30), "a.jpg", "image/jpeg")
    path = f"/assets/{record['id']}"
    status, headers, content = await api.fetch(path)
    assert (status, headers["Cache-Control"]) == (200, "private, max-age=0, must-revalidate")
    tag, modified = headers["ETag"], headers["Last-Modified"]
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    fresh = [
        {"If-None-Match": tag},
        {"If-Modified-Since": modified},
        {"If-Modified-Since": later},
        {"If-None-Match": '"1"', "If-Modified-Since": modified},
    ]
    for asked in fresh:
        for query in ("", "?width=20"):
            status, told, body = await api.fetch(path + query, headers=asked)
            assert (status, body) == (304, b""), (asked, query)
            assert (told["ETag"], told["Last-Modified"]) == (tag, modified)
            assert told["Cache-Control"] == headers["Cache-Control"]
    stale = [
        {"If-None-Match": f"W/{tag}"},
        {"If-None-Match": "*"},
        {"If-None-Match": '"1"'},
        {"If-Modified-Since": "Thu, 01 Jan 2015 00:00:00 GMT"},
        {"If-Modified-Since": "some day"},
        {"If-Modified-Since": "Thu, 01 Jan 0000 00:00:00 GMT"},
    ]
    for asked in stale:
        status, _, body = await api.fetch(path, headers=asked)
        assert (status, body) == (200, content), asked
    # Who may not see a file does not learn that it is as it was.
    async with files(server, None) as nobody:
        assert (await nobody.fetch(path, headers={"If-None-Match": tag}))[0] == 403


@pytest.mark.parametrize("there", [True, False])
async def test_the_original_goes_when_a_file_is_pointed_to_what_is_there_already(
    api: Files, storage: Path, there: bool
) -> None:
    record = await api.upload(b"original", "a.txt", "text/plain")
    target = f"{'there' if there else 'free'}.txt"
    if there:
        (storage / target).write_bytes(b"put there by somebody")
    moved = await api.patch(f"/files/{record['id']}", {"filename_disk": target})
    assert moved.data["filename_disk"] == target
    wanted = b"put there by somebody" if there else b"original"
    assert (await api.fetch(f"/assets/{record['id']}"))[2] == wanted
    assert not (storage / record["filename_disk"]).exists()


def with_iptc(jpeg: bytes, records: dict[int, list[bytes]]) -> bytes:
    """A JPEG with records of IPTC's section 2 behind its first marker."""
    pairs = [(number, value) for number, values in records.items() for value in values]
    # Of the first record, the reference knows nothing: it is the version, as writers put it there.
    block = b"\x1c\x02\x00\x00\x02\x00\x04" + b"".join(
        b"\x1c\x02" + bytes([number]) + len(value).to_bytes(2, "big") + value for number, value in pairs
    )
    resource = b"8BIM\x04\x04\0\0" + len(block).to_bytes(4, "big") + block + b"\0" * (len(block) % 2)
    segment = b"Photoshop 3.0\0" + resource
    return jpeg[:2] + b"\xff\xed" + (len(segment) + 2).to_bytes(2, "big") + segment + jpeg[2:]


def described() -> bytes:
    """A photograph that says of itself all that can be said."""
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Artist], exif[Base.Orientation] = "Maker", "Somebody", 6
    exif.get_ifd(IFD.Exif)[Base.FNumber] = 2.8
    exif.get_ifd(IFD.GPSInfo)[GPS.GPSLatitudeRef] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:creator><rdf:Seq>'
        "<rdf:li>Some Body</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    plain = picture(40, 20, exif=exif, icc_profile=profile, xmp=xmp.encode())
    return with_iptc(
        plain,
        {120: ["Größe".encode()], 105: [b"Headline"], 25: [b"one", b"two"], 116: [b"(c)"], 55: [b"20260102"]},
    )


async def test_all_that_an_image_says_of_itself(api: Files) -> None:
    content = described()
    assert Image.open(io.BytesIO(content)).size == (40, 20)
    record = await api.upload(content, "my_pic.jpg", "image/jpeg")
    assert (record["width"], record["height"]) == (20, 40)
    found = record["metadata"]
    assert found["ifd0"]["Make"] == "Maker"
    assert found["ifd0"]["Artist"] == "Somebody"
    assert found["exif"]["FNumber"] == pytest.approx(2.8)
    assert found["gps"] == {"GPSLatitudeRef": "N"}
    assert found["icc"]["colorSpace"] == "RGB"
    assert re.search("sRGB", found["icc"]["description"])
    assert found["iptc"] == {
        "caption": "Größe",
        "headline": "Headline",
        "keywords": ["one", "two"],
        "copyright": "(c)",
        "dateCreated": "20260102",
    }
    assert found["xmp"] == {"creator": "Some Body"}
    # What is sent goes before what is found; an upload has a title from its name.
    assert (record["title"], record["description"], record["tags"]) == ("My Pic", "Größe", ["one", "two"])
    sent = await api.upload(content, "b.jpg", "image/jpeg", description="own", tags='["mine"]')
    assert (sent["description"], sent["tags"]) == ("own", ["mine"])
    other = await api.send("PATCH", f"/files/{sent['id']}", [Part("f", picture(4, 2), "c.jpg", "image/jpeg")])
    assert (other.data["width"], other.data["description"]) == (4, "own")
