"""Health and metrics tell of followers, to those who may know."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.support.http import client
from tests.support.server import Server, acta, running_server
from tests.support.waiting import until


@pytest.fixture
def server(database_url: str) -> Iterator[Server]:
    extra = {"METRICS_ENABLED": "true", "METRICS_TOKENS": "one,two", "ACTA_FOLLOWER_LAG_THRESHOLD": "3"}
    with running_server(database_url, extra=extra) as found:
        yield found


async def test_followers_in_health_and_metrics(server: Server, database_url: str) -> None:
    def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
        return acta(database_url, "followers", *arguments)

    async with client(server) as admin, client(server, token=None) as anybody:

        async def check() -> dict[str, object]:
            found: dict[str, object] = (await admin.get("/server/health")).body["checks"][
                "followers:snapshots"
            ][0]
            return found

        async def caught_up() -> bool:
            return "snapshots\trunning" in cli("list").stdout and (await check())["observedValue"] == 0

        await until(caught_up)
        assert (await admin.get("/server/health")).body["status"] == "ok"
        assert cli("pause", "snapshots").returncode == 0
        for number in range(5):
            await admin.post("/roles", {"name": str(number)})

        async def behind() -> bool:
            return (await check())["observedValue"] == 5

        await until(behind)
        assert (await check())["status"] == "warn"
        assert (await admin.get("/server/health")).body["status"] == "warn"
        assert (await anybody.get("/server/health")).body == {"status": "warn"}

        text = (await admin.get("/metrics")).body.decode()
        assert 'acta_follower_lag{follower="snapshots"} 5.0' in text
        assert 'acta_follower_paused{follower="snapshots"} 1.0' in text
        assert "directus_db_pg_response_time_ms_bucket" in text
        refused = await anybody.get("/metrics")
        assert refused.status == 403
        for token, status in (("two", 200), ("three", 403), ("", 403)):
            answer = await anybody.request("GET", "/metrics", headers={"Authorization": f"Metrics {token}"})
            assert answer.status == status

        assert cli("resume", "snapshots").returncode == 0
        await until(caught_up)
        assert cli("rewind", "snapshots", "--to", "1").returncode == 0
        await until(caught_up)
        refused_rewind = cli("rewind", "snapshots", "--to", "1000000")
        assert (refused_rewind.returncode, "the log ends at" in refused_rewind.stderr) == (1, True)
        assert cli("pause", "nobody").returncode == 1
        assert cli("forget", "seal").returncode == 1
        assert '"lag":0' in cli("list", "--json").stdout
        assert cli("parked", "snapshots").stdout == ""


async def test_no_metrics_unless_wanted(database_url: str) -> None:
    with running_server(database_url) as server:
        async with client(server) as admin:
            assert (await admin.get("/metrics")).status == 404
