"""The collections, fields and relations that translations of a collection need, as requests for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.errors import Forbidden, InvalidPayload
from domain.model import wire
from domain.model.schema import Collection, Model

Body = dict[str, Any]
LANGUAGES = {
    "en-US": "English",
    "ar-SA": "Arabic",
    "de-DE": "German",
    "fr-FR": "French",
    "ru-RU": "Russian",
    "es-ES": "Spanish",
    "it-IT": "Italian",
    "pt-BR": "Portuguese",
}
RIGHT_TO_LEFT = frozenset({"ar-SA"})
ALIAS = "translations"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_COPIED = ("default_value", "max_length", "numeric_precision", "numeric_scale")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be translated, and how everything shall be called."""

    collection: str
    fields: tuple[str, ...]
    translations: str
    languages: str
    parent_key: str
    language_key: str
    make_languages: bool
    seed: bool


def wish_of(body: Any, model: Model) -> Wish:
    """A request, with names where it gives none.

    Raises:
        InvalidPayload: for names that are none, and fields that are not there or hold no values.
        Forbidden: for an unknown collection.
    """
    if not isinstance(body, Mapping):
        raise InvalidPayload('"value" must be of type object')
    name = _identifier(body, "collection", None)
    found = model.collections.get(name)
    if found is None or found.system or len(found.primary_key) != 1:
        raise Forbidden.collection(name)
    fields = body.get("fields")
    if not isinstance(fields, list) or not fields:
        raise InvalidPayload('"fields" must be an array of names')
    for field in fields:
        entry = found.fields.get(field) if isinstance(field, str) else None
        if entry is None or entry.column is None or field in found.primary_key:
            raise InvalidPayload(f'"{field}" is no field of "{name}" that can be translated')
    languages = _identifier(body, "languagesCollection", "languages")
    return Wish(
        name,
        tuple(dict.fromkeys(fields)),
        _identifier(body, "translationsCollection", f"{name}_translations"),
        languages,
        _identifier(body, "parentFkField", f"{name}_id"),
        _identifier(body, "languageFkField", f"{languages}_code"),
        _flag(body, "createLanguagesCollection"),
        _flag(body, "seedLanguages"),
    )


def languages_collection(wish: Wish) -> Body:
    """The collection of languages."""
    code = {"field": "code", "type": "string", "schema": {"is_primary_key": True}, "meta": {}}
    name = {"field": "name", "type": "string", "schema": {}, "meta": {}}
    direction = {"field": "direction", "type": "string", "schema": {"default_value": "ltr"}, "meta": {}}
    return {"collection": wish.languages, "schema": {}, "meta": {}, "fields": [code, name, direction]}


def translations_collection(wish: Wish, model: Model) -> Body:
    """The junction that holds the translated values."""
    parent = model.collections[wish.collection]
    key = {"field": "id", "type": "integer", "schema": {"has_auto_increment": True}, "meta": {"hidden": True}}
    fields = [
        key,
        pointer(wish.parent_key, parent),
        {"field": wish.language_key, "type": "string", "schema": {}, "meta": {"hidden": True}},
        *(copied(parent, name) for name in wish.fields),
    ]
    meta = {"hidden": True, "icon": "translate"}
    return {"collection": wish.translations, "schema": {}, "meta": meta, "fields": fields}


def pointer(name: str, target: Collection) -> Body:
    """A column that holds a key of a collection."""
    key = target.fields[target.primary_key[0]]
    assert key.column is not None
    schema = {} if key.column.max_length is None else {"max_length": key.column.max_length}
    return {"field": name, "type": key.type, "schema": schema, "meta": {"hidden": True}}


def copied(owner: Collection, name: str) -> Body:
    """A field like another one, but never required."""
    entry = owner.fields[name]
    assert entry.column is not None
    told = wire.column(entry.column, entry, owner)
    schema = {member: told[member] for member in _COPIED if told[member] is not None}
    kept = {"special", "interface", "options", "display", "display_options", "width", "note"}
    meta = {member: value for member, value in (entry.meta or {}).items() if member in kept}
    return {"field": name, "type": entry.schema_type, "schema": schema, "meta": meta}


def relations(wish: Wish) -> list[Body]:
    """From the junction to what is translated, and to the language."""
    ends = (
        (wish.parent_key, wish.collection, ALIAS, wish.language_key),
        (wish.language_key, wish.languages, None, wish.parent_key),
    )
    return [
        {
            "collection": wish.translations,
            "field": field,
            "related_collection": related,
            "schema": {"on_delete": "SET NULL"},
            "meta": {"one_field": alias, "junction_field": junction},
        }
        for field, related, alias, junction in ends
    ]


def alias_field() -> Body:
    """The field that shows the translations."""
    meta = {"special": ["translations"], "interface": "translations"}
    return {"field": ALIAS, "type": "alias", "schema": None, "meta": meta}


def language_rows() -> list[Body]:
    """The languages to begin with."""
    return [
        {"code": code, "name": name, "direction": "rtl" if code in RIGHT_TO_LEFT else "ltr"}
        for code, name in LANGUAGES.items()
    ]


def _identifier(body: Mapping[str, Any], member: str, default: str | None) -> str:
    value = body.get(member, default)
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise InvalidPayload(f'"{member}" must be letters, digits and underscores, at most 63')
    return value


def _flag(body: Mapping[str, Any], member: str) -> bool:
    value = body.get(member, True)
    if not isinstance(value, bool):
        raise InvalidPayload(f'"{member}" must be true or false')
    return value
