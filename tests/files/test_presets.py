"""What happens with a file when it arrives: presets are made by the worker, durations are found."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.files.test_uploads import left, stored
from tests.support.files import Files, Part, opened, picture
from tests.support.media import film, sound
from tests.support.server import Server, running_server
from tests.support.waiting import until


@pytest.fixture(scope="module")
def server(served_url: str, storage: Path) -> Iterator[Server]:
    with running_server(served_url, extra={"STORAGE_LOCAL_ROOT": str(storage)}) as running:
        yield running


async def test_presets_are_made_before_anybody_asks(api: Files, storage: Path, served_url: str) -> None:
    presets = [
        {"key": "thumb", "width": 40, "height": 40, "fit": "cover", "format": "png"},
        {"key": "auto", "width": 20, "format": "auto"},
        {"key": "wrong", "fit": 3},
        {"key": "steps", "transforms": [["extract", {}]]},
    ]
    await api.patch("/settings", {"storage_asset_presets": presets})

    async def settled() -> bool:
        return left(served_url) == 0

    try:
        record = await api.upload(picture(400, 300), "a.jpg", "image/jpeg")
        await api.upload(b"broken", "b.jpg", "image/jpeg")
        await api.upload(b"text", "c.txt", "text/plain")
        await until(settled)
        made = {name for name in stored(storage) if name.startswith(record["id"] + "__")}
        assert sorted(opened((storage / name).read_bytes()).format or "" for name in made) == [
            "AVIF",
            "PNG",
            "WEBP",
        ]
        status, _, content = await api.fetch(f"/assets/{record['id']}?key=thumb")
        assert (status, opened(content).size) == (200, (40, 40))
        await api.fetch(f"/assets/{record['id']}?key=auto", headers={"Accept": "image/webp"})
        assert {name for name in stored(storage) if name.startswith(record["id"] + "__")} == made
        new = picture(300, 400)
        await api.send("PATCH", f"/files/{record['id']}", [Part("file", new, "a.jpg", "image/jpeg")])
        await until(settled)
        again = {name for name in stored(storage) if name.startswith(record["id"] + "__")}
        assert (len(again), again & made) == (3, set())
        # One that is gone when its turn comes.
        with psycopg.connect(served_url, autocommit=True) as connection:
            connection.execute(
                "insert into acta.file_tasks (kind, location, path, target) "
                "values ('variants', 'local', 'x', gen_random_uuid())"
            )
        await until(settled)
    finally:
        await api.patch("/settings", {"storage_asset_presets": None})


async def test_flows_hear_of_uploads(api: Files) -> None:
    """Of uploads and replacements as `files.upload`, of plain writes as `files.create` and `files.update`."""
    for event in ("files.upload", "files.update"):
        flow = (
            await api.post(
                "/flows",
                {
                    "name": event,
                    "status": "active",
                    "trigger": "event",
                    "options": {"type": "action", "scope": [event]},
                },
            )
        ).data["id"]
        name = (
            event
            + ": {{$trigger.event}} {{$trigger.payload.filename_download}} {{$trigger.payload.description}}"
        )
        options = {"collection": "directus_folders", "payload": {"name": name}, "permissions": "$full"}
        step = {"flow": flow, "key": "note", "type": "item-create", "position_x": 1, "position_y": 1}
        made = await api.post("/operations", {**step, "options": options})
        await api.patch(f"/flows/{flow}", {"operation": made.data["id"]})
    record = await api.upload(b"one", "one.txt", "text/plain")
    path = f"/files/{record['id']}"
    await api.send("PATCH", path, [Part("file", b"two", "two.txt", "text/plain")])
    await api.patch(path, {"description": "three"})
    expected = [
        "files.update: files.update undefined three",
        "files.upload: files.upload one.txt undefined",
        "files.upload: files.upload two.txt null",
    ]

    async def heard() -> bool:
        names = [row["name"] for row in (await api.get("/folders", sort="name", limit="-1")).data]
        return names == expected

    await until(heard)


async def test_durations(api: Files) -> None:
    for content, name, kind, seconds in [
        (sound(3), "a.wav", "audio/wav", 3),
        (film(7), "a.mp4", "video/mp4", 7),
        (film(9, 20_000_000), "b.mp4", "video/mp4", 9),
        (film(7)[:300], "cut.mp4", "video/mp4", None),
        (b"\0" * 5000, "none.mp3", "audio/mpeg", None),
        (picture(20, 10), "picture.mp4", "video/mp4", None),
        (b"", "empty.mp4", "video/mp4", None),
    ]:
        record = await api.upload(content, name, kind)
        assert (record["duration"], record["width"]) == (seconds, None), name
    record = await api.upload(sound(2), "a.wav", "audio/wav")
    path = f"/files/{record['id']}"
    after = await api.send("PATCH", path, [Part("file", sound(5), "b.wav", "audio/wav")])
    assert after.data["duration"] == 5
    given = await api.upload(sound(2), "a.wav", "audio/wav", duration="77")
    assert given["duration"] == 77


async def test_presets_that_wait_hold_nothing_up(api: Files, storage: Path, served_url: str) -> None:
    """Their tasks name the file by its id, which is also the path of one without extension."""
    record = await api.upload(b"whatever", "plain", "image/x-unknown")
    assert record["filename_disk"] == record["id"]
    with psycopg.connect(served_url, autocommit=True) as connection:
        connection.execute(
            "insert into acta.file_tasks (kind, location, path, target, due) "
            "values ('variants', 'local', %(id)s, %(id)s, now() + interval '1 day')",
            {"id": record["id"]},
        )
        assert (await api.delete(f"/files/{record['id']}")).status == 204
        assert record["id"] not in stored(storage)
        connection.execute("delete from acta.file_tasks where kind = 'variants'")
    assert left(served_url) == 0
