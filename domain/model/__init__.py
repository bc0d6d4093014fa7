"""The model: collections, fields and relations as one immutable value, and the decisions on changing it."""

from domain.model.keys import join_key, split_key
from domain.model.schema import (
    Check,
    Collection,
    CollectionKind,
    Column,
    CompositeForeignKey,
    Domain,
    Field,
    ForeignKey,
    Model,
    Relation,
    RelationMeta,
    Side,
)

__all__ = [
    "Check",
    "Collection",
    "CollectionKind",
    "Column",
    "CompositeForeignKey",
    "Domain",
    "Field",
    "ForeignKey",
    "Model",
    "Relation",
    "RelationMeta",
    "Side",
    "join_key",
    "split_key",
]
