"""Making a collection translatable: several steps of one schema command."""

from __future__ import annotations

from typing import Any

from domain.errors import InvalidPayload
from domain.model import translations as parts
from domain.model.drafts import collection_draft, field_draft, relation_draft
from domain.model.translations import Wish
from projections.schema.collections import create_collection
from projections.schema.fields import create_field
from projections.schema.filtering import ModelFiltering
from projections.schema.relations import create_relation, find_relation
from projections.schema.work import Work


async def make_translatable(work: Work, wish: Wish, filtering: ModelFiltering) -> tuple[bool, bool]:
    """Make what is missing; whether the translations, and whether the languages, are new."""
    languages = wish.languages not in work.model.collections
    if languages and not wish.make_languages:
        raise InvalidPayload(f'The collection "{wish.languages}" is not there')
    made = [parts.languages_collection(wish)] if languages else []
    created = wish.translations not in work.model.collections
    if created:
        made.append(parts.translations_collection(wish, work.model))
    await _create_collections(work, made, filtering)
    model = await work.reload()
    owner = model.collections[wish.collection]
    for name in wish.fields:
        if name not in model.collections[wish.translations].fields:
            await _create_field(work, wish.translations, parts.copied(owner, name), filtering)
    if parts.ALIAS not in owner.fields:
        await _create_field(work, wish.collection, parts.alias_field(), filtering)
    for body in parts.relations(wish):
        model = await work.reload()
        if body["field"] not in model.collections[wish.translations].fields:
            raise InvalidPayload(f'"{wish.translations}" is there and has no field "{body["field"]}"')
        if find_relation(model, wish.translations, body["field"]) is None:
            found = await filtering.new_relation(work, body)
            ends = {name: body[name] for name in ("collection", "field", "related_collection")}
            await create_relation(work, relation_draft({**found, **ends}))
    return created, languages


# What one step makes is what the next ones, and the application, look for: names stay.


async def _create_collections(work: Work, bodies: list[dict[str, Any]], filtering: ModelFiltering) -> None:
    taken: set[str] = set()
    for body in bodies:
        found = await filtering.new_collection(work, body)
        await create_collection(work, collection_draft({**found, "collection": body["collection"]}), taken)


async def _create_field(work: Work, collection: str, body: dict[str, Any], filtering: ModelFiltering) -> None:
    found = await filtering.new_field(work, collection, body)
    await create_field(work, collection, field_draft({**found, "field": body["field"]}))
