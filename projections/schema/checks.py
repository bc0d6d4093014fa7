"""The checks of tables and domains that snapshots bring along.

A check is SQL, and may come from whoever can write to the API. PostgreSQL computes generated columns of
immutable functions only, which read nothing and change nothing; so it is asked whether the check could be
such a column.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import errors, sql

from domain.errors import InvalidPayload
from domain.events import CollectionUpdated
from domain.model.exact import checks_of
from domain.model.schema import Collection
from domain.model.snapshot import tracked_checks
from projections.schema import ddl
from projections.schema.work import Work

_PROBE = sql.Identifier("pg_temp", "acta_probe")


async def add_checks(work: Work, schema: str, table: str, checks: Mapping[str, str]) -> None:
    """New checks of a table.

    Raises:
        InvalidPayload: for those that are no expression of immutable functions, and what the rows violate.
    """
    columns = sql.SQL("LIKE {}").format(sql.Identifier(schema, table))
    await _require_immutable(work, columns, checks, table)
    await work.run(*(ddl.add_check("TABLE", schema, table, name, text) for name, text in checks.items()))


async def add_domain_checks(work: Work, name: str, base: str, checks: Mapping[str, str]) -> None:
    """New checks of a domain over a type that the catalog names. Raises as `add_checks`."""
    # In a domain `VALUE` is the value; here it is a column of that name.
    await _require_immutable(work, sql.SQL("value {}").format(sql.SQL(base)), checks, name)
    await work.run(*(ddl.add_check("DOMAIN", work.home, name, one, text) for one, text in checks.items()))


async def _require_immutable(work: Work, columns: sql.Composed, checks: Mapping[str, str], of: str) -> None:
    if not checks:
        return
    await work.connection.execute(sql.SQL("CREATE TEMPORARY TABLE {} ({})").format(_PROBE, columns))
    for place, (name, expression) in enumerate(checks.items()):
        column = sql.SQL("{} boolean {}").format(
            sql.Identifier(f"acta probe {place}"), ddl.generated(expression)
        )
        try:
            await work.connection.execute(sql.SQL("ALTER TABLE {} ADD COLUMN {}").format(_PROBE, column))
        except errors.InvalidObjectDefinition as error:
            raise InvalidPayload(
                f'The check "{name}" of "{of}" can\'t be made here: {error.diag.message_primary}'
            ) from error
    await work.connection.execute(sql.SQL("DROP TABLE {}").format(_PROBE))


async def change_checks(work: Work, collection: str, target: Any) -> None:
    """Make the checks of a collection those of a snapshot's ``schema``, where they differ."""
    owner = (await work.reload()).collections[collection]
    now, wanted = tracked_checks(owner), checks_of(target, collection)
    if now == wanted:
        return
    await set_checks(work, owner, wanted)
    rows = await work.rows("directus_collections", {"collection": collection})
    meta = rows[0] if rows else None
    old, new = {"meta": meta, "checks": now}, {"meta": meta, "checks": wanted}
    await work.record(CollectionUpdated, collection, old=old, new=new)


async def set_checks(work: Work, owner: Collection, wanted: Mapping[str, str]) -> None:
    """Remove checks that are not wanted, and make those that are not there. Raises as `add_checks`."""
    now = tracked_checks(owner)
    for name in [name for name, text in now.items() if wanted.get(name) != text]:
        await work.run(ddl.drop_constraint(owner.schema, owner.table, name))
    missing = {name: text for name, text in wanted.items() if now.get(name) != text}
    await add_checks(work, owner.schema, owner.table, missing)
