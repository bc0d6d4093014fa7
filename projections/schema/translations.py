"""Making a collection translatable: several steps of one schema command."""

from __future__ import annotations

from domain.errors import InvalidPayload
from domain.model import translations as parts
from domain.model.drafts import collection_draft, field_draft, relation_draft
from domain.model.translations import Wish
from projections.schema.collections import create_collection
from projections.schema.fields import create_field
from projections.schema.relations import create_relation, find_relation
from projections.schema.work import Work


async def make_translatable(work: Work, wish: Wish) -> tuple[bool, bool]:
    """Make what is missing; whether the translations, and whether the languages, are new."""
    taken: set[str] = set()
    languages = wish.languages not in work.model.collections
    if languages and not wish.make_languages:
        raise InvalidPayload(f'The collection "{wish.languages}" is not there')
    if languages:
        await create_collection(work, collection_draft(parts.languages_collection(wish)), taken)
    created = wish.translations not in work.model.collections
    if created:
        body = parts.translations_collection(wish, work.model)
        await create_collection(work, collection_draft(body), taken)
    model = await work.reload()
    owner = model.collections[wish.collection]
    for name in wish.fields:
        if name not in model.collections[wish.translations].fields:
            await create_field(work, wish.translations, field_draft(parts.copied(owner, name)))
    if parts.ALIAS not in owner.fields:
        await create_field(work, wish.collection, field_draft(parts.alias_field()))
    for body in parts.relations(wish):
        model = await work.reload()
        if body["field"] not in model.collections[wish.translations].fields:
            raise InvalidPayload(f'"{wish.translations}" is there and has no field "{body["field"]}"')
        if find_relation(model, wish.translations, body["field"]) is None:
            await create_relation(work, relation_draft(body))
    return created, languages
