"""Definitions to graphene types, each made when it is first looked at."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import graphene
from graphene.types.schema import TypeMap
from graphql import GraphQLInputObjectType, GraphQLNamedType, GraphQLObjectType

from api.graphql.scalars import SCALARS, json_scalar
from domain.graphql.definitions import Definitions, FieldDefinition, TypeDefinition


class Types(TypeMap):  # type: ignore[misc]
    """graphene's map from its types to those of graphql-core, over definitions.

    graphene makes a Python class for every type and an object for every field. The classes are made empty;
    their fields follow when graphql-core asks for them, which it does once, for the types a document reaches.
    """

    def __init__(self, definitions: Definitions, resolvers: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._resolvers = resolvers
        self._classes: dict[str, type[Any]] = dict(SCALARS)
        self._references: dict[str, Any] = {}
        self._arguments: dict[tuple[int, int], Mapping[str, Any]] = {}
        super().__init__(auto_camelcase=False)

    def named(self, name: str) -> GraphQLNamedType | None:
        """The type of this name, None without one."""
        if name not in self._classes and name not in self._definitions:
            return None
        found: GraphQLNamedType = self.add_type(self._class(name))
        return found

    def root(self, name: str) -> GraphQLObjectType | None:
        """A root type, None where there is none."""
        found = self.named(name)
        return found if isinstance(found, GraphQLObjectType) else None

    def create_fields_for_type(self, graphene_type: Any, is_input_type: bool = False) -> dict[str, Any]:
        """The fields of a type; graphene's own, but made now."""
        definition = self._definitions[graphene_type._meta.name]
        for name, member in definition.members().items():
            graphene_type._meta.fields[name] = self._input(member) if is_input_type else self._field(member)
        found: dict[str, Any] = super().create_fields_for_type(graphene_type, is_input_type)
        if graphene_type._meta.name in ("Query", "Mutation"):
            for name in found.keys() & self._resolvers.keys():
                found[name].resolve = self._resolvers[name]
        return found

    def create_inputobjecttype(self, graphene_type: Any) -> GraphQLInputObjectType:
        """An input type. graphene takes an empty description for none."""
        found: GraphQLInputObjectType = super().create_inputobjecttype(graphene_type)
        found.description = self._definitions[found.name].description
        return found

    def _class(self, name: str) -> type[Any]:
        known = self._classes.get(name)
        if known is None:
            known = self._classes[name] = self._new_class(name, self._definitions[name])
        return known

    def _new_class(self, name: str, definition: TypeDefinition) -> type[Any]:
        options: dict[str, Any] = {"name": name, "description": definition.description}
        if definition.kind == "enum":
            return graphene.Enum(name, [(member, member) for member in definition.members()])  # type: ignore[no-any-return]
        if definition.kind == "scalar":
            return json_scalar(name)
        if definition.kind == "union":
            options["types"] = [self._class(member) for member in definition.members()]
            base = graphene.Union
        elif definition.kind == "input":
            options["container"] = dict
            base = graphene.InputObjectType
        else:
            base = graphene.ObjectType
        return type(name, (base,), {"Meta": type("Meta", (), options)})

    def _field(self, member: FieldDefinition) -> Any:
        key = id(member.arguments), id(member.defaults)
        arguments = self._arguments.get(key)
        if arguments is None:
            arguments = {
                name: graphene.Argument(
                    self._reference(type_),
                    **({"default_value": member.defaults[name]} if name in member.defaults else {}),
                )
                for name, type_ in member.arguments.items()
            }
        return graphene.Field(
            self._reference(member.type), args=dict(arguments), description=member.description
        )

    def _input(self, member: FieldDefinition) -> Any:
        return graphene.InputField(self._reference(member.type), description=member.description)

    def _reference(self, written: str) -> Any:
        """What graphene takes for ``[name!]!``: structures around a look-up that is made later."""
        known = self._references.get(written)
        if known is None:
            if written.endswith("!"):
                known = graphene.NonNull(self._reference(written[:-1]))
            elif written.startswith("["):
                known = graphene.List(self._reference(written[1:-1]))
            else:
                known = partial(self._class, written)
            self._references[written] = known
        return known
