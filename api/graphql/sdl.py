"""Schemas as text."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from graphql import GraphQLSchema, print_schema

_texts: WeakKeyDictionary[GraphQLSchema, str] = WeakKeyDictionary()


def sdl(schema: GraphQLSchema) -> str:
    """A schema in the schema definition language; slow the first time, so not for the event loop."""
    text = _texts.get(schema)
    if text is None:
        text = _texts[schema] = print_schema(schema)
    return text
