"""What `acta worker` runs: the sealer and all followers, in one process, until a signal.

Any number of such processes may run: each of these finds itself one place to run in, the others stand by.
"""

from __future__ import annotations

import asyncio

from domain.settings import Settings
from projections.database import Database
from projections.prepare import prepare
from projections.tables.store import ModelStore
from services.extensions.loading import load
from services.flows.wiring import flows_for
from services.mail.wiring import post_of
from workers import presets, sealer
from workers.actions import Actions
from workers.external import External
from workers.flows import executing
from workers.flows import main as flows
from workers.flows.beginning import FlowFollower
from workers.flows.letters import Outbox
from workers.follower import Follower, follow
from workers.history import Histories
from workers.kafka.publisher import Publisher, form_of
from workers.kafka.registry import Registry
from workers.leadership import Leadership
from workers.notices import Notices
from workers.share import Share
from workers.snapshots import Snapshots
from workers.stopping import stop_on_signals
from workers.wake import Wake
from workers.webhooks import main as webhooks
from workers.webhooks.noting import WebhookFollower


def followers(settings: Settings) -> list[Follower]:
    """The followers that the settings ask for."""
    found: list[Follower] = [Snapshots()]
    where, names = settings.database, settings.history.collections
    if names:
        found.append(Histories(names, where.schemas, where.exclude_tables))
    return found


async def run(settings: Settings, stop: asyncio.Event | None = None) -> None:
    """Run until ``stop`` is set, by default by SIGTERM or SIGINT. Raises ServiceUnavailable at the start."""
    stop = stop or stop_on_signals()
    assert settings.database.url is not None
    url = settings.database.url.get_secret_value()
    beginning, noting, extensions = FlowFollower(), WebhookFollower(), load(settings)
    running = [*followers(settings), beginning, noting]
    most = len(running) + 2 + executing.AT_ONCE + 12
    async with await Database.open(url, maximum=most, application="acta worker") as database:
        await prepare(database)
        wake, leadership = Wake(), Leadership(database)
        share = Share(settings.server.follower_share, stop)
        async with post_of(settings, database) as post, asyncio.TaskGroup() as group:
            kafka, where = settings.kafka, settings.database
            models = await ModelStore.open(database, schemas=where.schemas, exclude=where.exclude_tables)
            outbox = Outbox(database, post)
            # Before any follower: none may write a letter that no filter sees.
            wired = flows_for(settings, database, models, outbox, extensions)
            post.filter = wired.emitter.letter
            group.create_task(_watch(models, stop))
            if kafka.bootstrap_servers:
                running.append(Publisher(kafka, form_of(settings, models)))
            if kafka.registry_url:
                group.create_task(Registry(kafka, models).run(stop))
            running.append(Notices(settings, database, post))
            if extensions.hooks.acting:
                running.append(Actions(extensions.hooks, database))
            group.create_task(sealer.run(database, stop))
            group.create_task(wake.listen(database, stop))
            group.create_task(leadership.watch(stop))
            if settings.history.external:
                limit = settings.history.external_limit
                external = External(
                    database, settings.database.schemas, settings.database.exclude_tables, limit
                )
                group.create_task(external.run(stop, leadership))
            group.create_task(presets.run(settings, database, stop))
            group.create_task(webhooks.run(settings, database, models, leadership, noting, share, stop))
            schedules = extensions.hooks.schedules
            executor = executing.Executor(database, wired.flows, share)
            group.create_task(
                flows.run(database, wired, executor, outbox, schedules, leadership, beginning, stop)
            )
            for follower in running:
                group.create_task(follow(follower, database, wake, stop, leadership, share))


async def _watch(models: ModelStore, stop: asyncio.Event) -> None:
    watching = asyncio.create_task(models.watch())
    try:
        await stop.wait()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
