"""Collections become translatable by one request."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.http import Client

PATH = "/utils/translations/generate"


async def test_translations_of_a_table(api: Client, anonymous: Client) -> None:
    wanted = {"collection": "notes", "fields": ["title"]}
    assert (await anonymous.post(PATH, wanted)).status == 403
    made = (await api.post(PATH, wanted)).data
    names = {"translationsCollection": "notes_translations", "languagesCollection": "languages"}
    assert made == {"created": True, **names, "fields": ["title"]}
    languages = (await api.get("/items/languages", sort="code")).data
    assert len(languages) == 8
    assert languages[0] == {"code": "ar-SA", "name": "Arabic", "direction": "rtl"}
    title = (await api.get("/fields/notes_translations/title")).data
    assert (title["type"], title["schema"]["max_length"], title["schema"]["is_nullable"]) == (
        "string",
        20,
        True,
    )
    for field, related in (("notes_id", "notes"), ("languages_code", "languages")):
        relation = (await api.get(f"/relations/notes_translations/{field}")).data
        assert relation["related_collection"] == related
        assert relation["schema"]["on_delete"] == "SET NULL"
    german = {"translations": [{"languages_code": "de-DE", "title": "erste"}]}
    note = (await api.request("PATCH", "/items/notes/1", german, query={"fields": "translations.title"})).data
    assert note == {"translations": [{"title": "erste"}]}
    again = (await api.post(PATH, {"collection": "notes", "fields": ["title", "body"]})).data
    assert (again["created"], again["fields"]) == (False, ["title", "body"])
    assert (await api.get("/fields/notes_translations/body")).data["type"] == "text"
    assert len((await api.get("/items/languages")).data) == 8


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"fields": []}, 400),
        ({"fields": ["id"]}, 400),
        ({"fields": ["unknown"]}, 400),
        ({"collection": "unknown"}, 403),
        ({"collection": "directus_users"}, 403),
        ({"collection": "pairs"}, 403),
        ({"parentFkField": "1st"}, 400),
        ({"translationsCollection": "x; drop table notes"}, 400),
        ({"translationsCollection": "notes"}, 400),
        ({"languagesCollection": "none", "createLanguagesCollection": False}, 400),
        ({"seedLanguages": "yes"}, 400),
    ],
)
async def test_refused(api: Client, served_url: str, change: dict[str, object], status: int) -> None:
    with psycopg.connect(served_url, autocommit=True) as connection:
        count = "select count(*), max(seq) from acta.events"
        before = connection.execute(count).fetchone()
        answer = await api.post(PATH, {"collection": "tags", "fields": ["label"], **change})
        assert answer.status == status, answer.body
        assert connection.execute(count).fetchone() == before
