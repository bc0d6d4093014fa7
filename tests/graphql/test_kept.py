"""What is kept of documents ends with the model they were read for."""

from __future__ import annotations

import asyncio
import gc
import weakref
from dataclasses import replace
from typing import cast

from api.graphql.kept import Asked
from domain.access.rights import ADMINISTRATOR
from projections.database import Database
from tests.graphql.test_equality import asking
from tests.support.worlds import World


async def test_nothing_holds_the_schema_of_an_old_model() -> None:
    world = World()
    world.collection("posts", {"id": "integer", "title": "string"})
    engine, context, _ = asking(cast("Database", None), world)
    text = "query ($text: String) { posts(filter: {title: {_eq: $text}}) { id } }"
    asked = Asked(text, {"text": "one"})
    document = await engine.document(context, "items", text)
    operation = document.operations[0]
    assert engine.ready.fast(document, operation, asked, context, present=True) is not None
    engine.ready.prepare(document, asked, operation, dict(asked.variables), context)
    schema = weakref.ref(document.schema)
    del document, operation
    gc.collect()
    assert schema() is not None
    # The schema of the last model but one is there for requests that have begun with it.
    model = replace(context.model, version=context.model.version + 2)
    engine.renew(model)
    assert await engine.schemas.of(model, ADMINISTRATOR, "items") is not schema()
    await asyncio.sleep(0)
    gc.collect()
    assert schema() is None
