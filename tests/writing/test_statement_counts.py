"""How many statements writes take: as many for many rows as for few, at every depth and in every notation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from domain.access.rights import Rights, Rule
from tests.support.writing import NESTED, Bench, counted

FEW, MANY = 3, 60
GRANDCHILDREN = 4
Payload = dict[str, Any]


def post(run: str, number: int) -> Payload:
    """A post with related items of every kind; every second one has more columns than the others."""
    wide = {"slug": f"{run} {number}", "views": number} if number % 2 else {}
    again = range(GRANDCHILDREN)
    return {
        "title": f"p{number}",
        **wide,
        "comments": [{"body": f"c{n}"} for n in again],
        "labels": [{"tag": {"label": f"{run} {number}/{n}"}} for n in again],
        "blocks": [
            {"collection": "heads", "item": {"text": "h"}},
            {"collection": "texts", "item": {"body": "t"}},
        ],
        "translations": {
            "create": [
                {"language": {"code": f"{run} {number}/{n}", "name": "x"}, "title": f"t{n}"} for n in again
            ]
        },
    }


def author(run: str, width: int) -> Payload:
    """An author with ``width`` posts."""
    posts = [post(run, n) for n in range(width)]
    return {"name": "A", "posts": posts, "notes": [{"body": "n"}] * width}


async def posts_of(bench: Bench, author: int) -> list[int]:
    return [key for (key,) in await bench.sql("SELECT id FROM posts WHERE author = %s ORDER BY id", author)]


async def related(bench: Bench, collection: str, author: int) -> dict[int, list[int]]:
    """The keys of what is related to each of the author's posts."""
    statement = f"""
        SELECT p.id, array_agg(c.id ORDER BY c.id) FROM posts p JOIN {collection} c ON c.post = p.id
        WHERE p.author = %s GROUP BY p.id
    """  # noqa: S608  (names of the test itself)
    return dict(await bench.sql(statement, author))


async def notes_of(bench: Bench, author: int) -> list[int]:
    return [key for (key,) in await bench.sql("SELECT id FROM notes WHERE author = %s", author)]


async def complete_sets(bench: Bench, author: int) -> None:
    """Every list anew: some stay, some change, some come, the others go."""
    posts: list[Any] = []
    comments = await related(bench, "comments", author)
    labels = await related(bench, "posts_tags", author)
    tags = dict(await bench.sql("SELECT id, tag FROM posts_tags"))
    for number, (key, of_post) in enumerate(comments.items()):
        first, other, *_ = labels[key]
        posts.append(
            {
                "id": key,
                **({"views": number} if number % 2 else {"title": "n"}),
                "comments": [of_post[0], {"id": of_post[1], "body": "changed"}, {"body": "new"}],
                "labels": [{"id": first, "tag": {"id": tags[first], "label": f"again {key}"}}, other],
                "translations": [],
                "blocks": None,
            }
        )
    notes = await notes_of(bench, author)
    await bench.update("authors", [author], {"posts": [*posts, {"title": "more"}], "notes": notes[:1]})


async def changes(bench: Bench, author: int) -> None:
    """Every list in detail."""
    posts: list[Payload] = []
    blocks = await related(bench, "blocks", author)
    translations = await related(bench, "translations", author)
    for key, ids in (await related(bench, "comments", author)).items():
        posts.append(
            {
                "id": key,
                "comments": {
                    "create": [{"body": "new"}, {"body": "newer"}],
                    "update": [{"id": ids[0], "body": "changed"}, {"id": ids[1], "post": {"id": key}}],
                    "delete": ids[2:],
                },
                "blocks": {
                    "update": [{"id": blocks[key][0], "collection": "heads", "item": {"text": "other"}}],
                    "delete": blocks[key][1:],
                },
                "translations": {
                    "update": [
                        {
                            "id": entry,
                            "language": {"code": f"x{author}", "name": f"{entry}"},
                            "title": f"{entry}",
                        }
                        for entry in translations[key]
                    ]
                },
            }
        )
    notes = await notes_of(bench, author)
    change = {"update": posts, "create": [{"title": "a"}, {"title": "b"}]}
    await bench.update("authors", [author], {"name": "B", "posts": change, "notes": {"delete": notes[1:]}})


async def one_change_to_all(bench: Bench, author: int) -> None:
    """The same nested change to every post."""
    change = {"author": {"name": "Other"}, "comments": {"create": [{"body": "same"}]}, "labels": []}
    await bench.update("posts", await posts_of(bench, author), change)


async def a_change_each(bench: Bench, author: int) -> None:
    """A nested change of its own to every post."""
    payloads = [
        {"id": key, "author": {"id": author, "name": f"{key}"}, "comments": [{"body": f"{key}"}]}
        for key in await posts_of(bench, author)
    ]
    await bench.writer.update_each(bench.command, bench.model, "posts", payloads)


async def plain_changes(bench: Bench, author: int) -> None:
    """Changes without nested items, of different columns."""
    payloads = [
        {"id": key, **({"title": "t"} if key % 2 else {"views": key, "price": "1.5"})}
        for key in await posts_of(bench, author)
    ]
    await bench.writer.update_each(bench.command, bench.model, "posts", payloads)


async def deletion(bench: Bench, author: int) -> None:
    """The author goes, with what the database deletes and clears along; then the posts."""
    posts = await posts_of(bench, author)
    await bench.delete("authors", author)
    await bench.delete("posts", *posts)


async def plain_creation(bench: Bench, author: int) -> None:
    """Rows with and without keys, of different columns."""
    payloads = [
        {"title": f"{n}", **({"id": 1000 * author + n} if n % 2 else {"slug": f"{author} {n}"})}
        for n in range(10 * len(await posts_of(bench, author)))
    ]
    await bench.create("posts", *payloads)


Work = Callable[[Bench, int], Awaitable[None]]
WRITES: tuple[Work, ...] = (
    complete_sets,
    changes,
    one_change_to_all,
    a_change_each,
    plain_changes,
    deletion,
    plain_creation,
)


async def written(bench: Bench, width: int, work: Work | None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a work sends on a new tree of that width; without a work, what making the tree sends."""
    with counted(monkeypatch) as seen:
        [key] = await bench.create("authors", author(f"{width}", width))
    if work is not None:
        with counted(monkeypatch) as seen:
            await work(bench, int(key))
    return seen


def limited() -> Rights:
    """Everything is permitted, but under conditions, and some fields of posts under others."""
    anything = Rule(None, {"id": {"_nnull": True}})
    coded = Rule(None, {"code": {"_nnull": True}})
    some = Rule(frozenset({"title", "comments"}), {"views": {"_gte": 0}})
    rules: dict[Any, tuple[Rule, ...]] = {}
    for name in NESTED:
        for action in ("create", "read", "update", "delete"):
            rules[name, action] = (coded if name == "languages" else anything,)
    rules["posts", "update"] = (anything, some)
    return Rights("limited", rules=rules)


@pytest.mark.parametrize("rights", [None, limited()], ids=["admin", "limited"])
@pytest.mark.parametrize("work", [None, *WRITES], ids=lambda work: work.__name__ if work else "creation")
async def test_writes_take_as_many_statements_for_many_rows_as_for_few(
    nested: Bench, monkeypatch: pytest.MonkeyPatch, work: Work | None, rights: Rights | None
) -> None:
    if rights is not None:
        nested.command = replace(nested.command, rights=rights)
    few = await written(nested, FEW, work, monkeypatch)
    many = await written(nested, MANY, work, monkeypatch)
    assert len(few) == len(many), [text for text in many if text not in few]
    assert len(many) <= 40
    assert await nested.differences(*NESTED) == []
