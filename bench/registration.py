"""Tells a server over HTTP what the tables are: the same requests to both."""

import json

from bench.client import call
from bench.policies import give

_COLLECTIONS = ("authors", "articles", "comments", "tags", "article_tags")
_ALIASES = (("articles", "comments", "o2m"), ("articles", "tags", "m2m"), ("authors", "articles", "o2m"))
_RELATIONS = (
    ("articles", "author", "authors", "articles", None, "SET NULL"),
    ("comments", "article", "articles", "comments", None, "CASCADE"),
    ("comments", "author", "authors", None, None, "SET NULL"),
    ("article_tags", "articles_id", "articles", "tags", "tags_id", "CASCADE"),
    ("article_tags", "tags_id", "tags", None, "articles_id", "CASCADE"),
)


class RegistrationError(Exception):
    """A server refused a part of the model."""


def register(url: str, extra_tables: tuple[str, ...]) -> None:
    """Register collections, alias fields, relations and a limited caller, unless they are known."""
    if not call(f"{url}/fields/articles/comments").ok:
        _register_model(url, extra_tables)
    if refused := give(url):
        raise RegistrationError(f"policies: {refused}")


def _register_model(url: str, extra_tables: tuple[str, ...]) -> None:
    for collection in (*_COLLECTIONS, *extra_tables):
        _send(url, "PATCH", f"/collections/{collection}", {"meta": {"hidden": False}})
    for collection, field, *_ in _RELATIONS:
        _send(url, "PATCH", f"/fields/{collection}/{field}", {"meta": {"special": ["m2o"]}})
    for collection, field, special in _ALIASES:
        alias = {"field": field, "type": "alias", "meta": {"special": [special]}, "schema": None}
        _send(url, "POST", f"/fields/{collection}", alias)
    for collection, field, related, one_field, junction_field, on_delete in _RELATIONS:
        relation = {
            "collection": collection,
            "field": field,
            "related_collection": related,
            "meta": {"one_field": one_field, "junction_field": junction_field},
            "schema": {"on_delete": on_delete},
        }
        _send(url, "POST", "/relations", relation)


def _send(url: str, method: str, path: str, body: object) -> None:
    answer = call(url + path, method, json.dumps(body))
    if not answer.ok:
        text = answer.body[:500].decode(errors="replace")
        raise RegistrationError(f"{method} {path} gave {answer.status}: {text}")
