"""The types of a snapshot's columns: which are there, and the enums and domains that are made first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from domain.errors import InvalidPayload
from domain.model.exact import Types, checks_of
from domain.model.schema_diff import whole_kind
from domain.model.snapshot import check_type
from projections.schema import ddl
from projections.schema.checks import add_domain_checks
from projections.schema.work import Work
from projections.sql import load

_STATEMENTS = load("schema/types")


async def known_types(work: Work, targets: Iterable[Mapping[str, Any]]) -> Types:
    """The types that the columns of these fields are of, as far as the database has them."""
    schemas = [target.get("schema") for target in targets]
    names = [schema.get("data_type") for schema in schemas if isinstance(schema, Mapping)]
    return await _known(work, [name for name in names if isinstance(name, str) and "\0" not in name])


async def _known(work: Work, names: list[str]) -> Types:
    cursor = await work.connection.execute(_STATEMENTS["known"], {"names": names, "home": work.home})
    return dict(await cursor.fetchall())


async def make_types(work: Work, changes: Iterable[Mapping[str, Any]]) -> None:
    """Enums and domains that are new, and new labels at the end of an enum.

    Raises:
        InvalidPayload: for what is no type, and for any other change of one.
    """
    for entry in changes:
        name = entry["name"]
        if whole_kind(entry) != "N":
            for change in entry["diff"]:
                added = change["kind"] == "A" and change["item"]["kind"] == "N"
                if not added or change.get("path") != ["labels"] or not isinstance(change["index"], int):
                    raise InvalidPayload(f'The type "{name}" can only be given more values')
            for change in sorted(entry["diff"], key=lambda one: one["index"]):
                await work.run(ddl.add_label(work.home, name, str(change["item"]["rhs"])))
            continue
        target = check_type(entry["diff"][0]["rhs"])
        if name in await _known(work, [name]):
            continue
        if "labels" in target:
            await work.run(ddl.create_enum(work.home, name, target["labels"]))
        else:
            base = (await _known(work, [target["base"]])).get(target["base"])
            if base is None:
                raise InvalidPayload(f'The type "{target["base"]}" is not there')
            await work.run(ddl.create_domain(work.home, name, base, required=target.get("not_null", False)))
            await add_domain_checks(work, name, base, checks_of(target, name))
