"""Archives of files and folders."""

import io
import json
import zipfile
from typing import Any
from uuid import uuid4

import pytest

from tests.support.files import Files, files
from tests.support.server import Server


async def archive(api: Files, path: str, body: Any = None) -> tuple[dict[str, bytes], str]:
    async with api.session.post(api.url + path, json=body or {}) as response:
        raw = await response.read()
        assert response.status == 200, raw
        assert response.headers["Content-Type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(raw)) as found:
            assert found.testzip() is None
            contents = {name: found.read(name) for name in found.namelist()}
        return contents, response.headers["Content-Disposition"]


async def test_chosen_files(api: Files) -> None:
    one = await api.upload(b"one", "a.txt", "text/plain")
    two = await api.upload(b"two" * 200_000, "a.txt", "text/plain")
    contents, disposition = await archive(api, "/assets/files", {"ids": [one["id"], two["id"], str(uuid4())]})
    assert sorted(contents) == ["a.txt", "a.txt (1)"]
    assert {b"one", b"two" * 200_000} == set(contents.values())
    assert disposition.startswith('attachment; filename="files-20')


async def test_a_folder_with_all_below(api: Files, server: Server) -> None:
    root = (await api.post("/folders", {"name": "ro/ot"})).data["id"]
    sub = (await api.post("/folders", {"name": "sub", "parent": root})).data["id"]
    await api.post("/folders", {"name": "sub", "parent": root})
    await api.upload(b"top", "top.txt", "text/plain", folder=root)
    await api.upload(b"deep", "deep.txt", "text/plain", folder=sub)
    contents, _ = await archive(api, f"/assets/folder/{root}")
    assert {name: data for name, data in contents.items() if data} == {
        "ro_ot/top.txt": b"top",
        next(name for name in contents if name.endswith("deep.txt")): b"deep",
    }
    assert {"ro_ot/", "ro_ot/sub/", "ro_ot/sub (1)/"} <= contents.keys()
    await api.patch(f"/folders/{root}", {"parent": root})
    assert (await archive(api, f"/assets/folder/{root}"))[0].keys() == contents.keys()
    async with files(server, None) as nobody:
        assert (await nobody.post(f"/assets/folder/{root}", {})).status == 403


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": "x"}, {"ids": ["x"]}, {"ids": [str(uuid4())]}])
async def test_refusals(api: Files, body: Any) -> None:
    answer = await api.post("/assets/files", body)
    assert (answer.status, answer.error["code"]) == (400, "INVALID_PAYLOAD"), json.dumps(answer.body)
    unknown = await api.post(f"/assets/folder/{uuid4()}", {})
    assert (unknown.status, unknown.error["code"]) == (400, "INVALID_PAYLOAD")
