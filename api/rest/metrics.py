"""`GET /metrics` for Prometheus: the database as the reference names it, and how far each follower is.

The values are looked up when they are asked for. With several API processes on one port each answers for
itself; what is said of followers and of the log is the same in all of them.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterator, Sequence

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.keys import CONTEXT, DATABASE, METRICS, SETTINGS
from domain.errors import Forbidden, RouteNotFound, ServiceUnavailable
from projections.database import Database
from projections.log.cursors import Overview, overview
from projections.webhooks.listing import Counts, counts

BUCKETS = (1, 10, 20, 40, 60, 80, 100, 200, 500, 750, 1000)
SCHEME = "Metrics "


class _Followers(Collector):
    """Gauges made from the followers as they stand."""

    def __init__(self) -> None:
        self.seen: Sequence[Overview] = ()

    def collect(self) -> Iterator[Metric]:
        """One family per kind of number, one sample per follower."""
        numbers: dict[str, tuple[str, Callable[[Overview], float]]] = {
            "lag": ("sealed events it has not handled yet", lambda entry: entry.lag),
            "position": ("the last position it has handled", lambda entry: entry.position),
            "failures": ("failures in a row", lambda entry: entry.failures),
            "parked": ("events it went on without", lambda entry: entry.parked),
            "running": ("whether a process runs it", lambda entry: entry.running),
            "paused": ("whether it is paused", lambda entry: entry.paused),
        }
        for name, (text, number) in numbers.items():
            family = GaugeMetricFamily(f"acta_follower_{name}", text, labels=["follower"])
            for entry in self.seen:
                family.add_metric([entry.name], number(entry))
            yield family
        head = max((entry.head for entry in self.seen), default=0)
        yield GaugeMetricFamily("acta_log_position", "the last sealed position", value=head)


class _Webhooks(Collector):
    """Gauges made from the deliveries of webhooks."""

    def __init__(self) -> None:
        self.seen: Sequence[Counts] = ()

    def collect(self) -> Iterator[Metric]:
        """One family per kind of number, one sample per webhook."""
        numbers: dict[str, tuple[str, Callable[[Counts], float]]] = {
            "open": ("deliveries that have not arrived yet", lambda entry: entry.open),
            "dead": ("deliveries that were given up", lambda entry: entry.dead),
            "oldest_seconds": ("age of the oldest one that has not arrived", lambda entry: entry.age),
        }
        for name, (text, number) in numbers.items():
            family = GaugeMetricFamily(f"acta_webhook_{name}", text, labels=["webhook"])
            for entry in self.seen:
                family.add_metric([str(entry.webhook)], number(entry))
            yield family


class Metrics:
    """The metrics of one process."""

    def __init__(self, prefix: str) -> None:
        self._registry = CollectorRegistry()
        self._followers = _Followers()
        self._webhooks = _Webhooks()
        self._registry.register(self._followers)
        self._registry.register(self._webhooks)
        self._response_time = Histogram(
            f"{prefix}db_pg_response_time_ms",
            "response time of the database in milliseconds",
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._errors = Counter(
            f"{prefix}db_pg_connection_errors",
            "how often the database could not be reached",
            registry=self._registry,
        )

    async def text(self, database: Database) -> bytes:
        """Look and tell; a lost database is told by the counter of errors."""
        try:
            began = time.perf_counter()
            async with database.connection() as connection:
                self._followers.seen = await overview(connection)
                self._response_time.observe((time.perf_counter() - began) * 1000)
                self._webhooks.seen = await counts(connection)
        except ServiceUnavailable:
            self._errors.inc()
        return generate_latest(self._registry)


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics."""
    settings = request.app[SETTINGS].metrics
    if not settings.enabled:
        raise RouteNotFound(request.path)
    if not (request[CONTEXT].rights.admin or _has_token(request)):
        raise Forbidden
    text = await request.app[METRICS].text(request.app[DATABASE])
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _has_token(request: web.Request) -> bool:
    given = request.headers.get("Authorization", "")
    if not given.startswith(SCHEME):
        return False
    token = given.removeprefix(SCHEME).strip().encode()
    # Every token is compared, so that the time tells nothing.
    found = [
        hmac.compare_digest(token, known.get_secret_value().encode())
        for known in request.app[SETTINGS].metrics.tokens
    ]
    return any(found)


def routes() -> list[web.RouteDef]:
    """The route of the metrics."""
    return [web.get("/metrics", metrics)]
