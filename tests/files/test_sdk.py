"""The SDK's file functions, typed, against a really started server."""

from pathlib import Path

from tests.support.node import TYPESCRIPT, node
from tests.support.server import ADMIN_TOKEN, Server


def test_file_functions(server: Server) -> None:
    packages = node("@directus/sdk@26.0.0", *TYPESCRIPT)
    script = Path(__file__).with_name("sdk.mts")
    done = packages.run_typed(script, {"ACTA_URL": server.url, "ACTA_TOKEN": ADMIN_TOKEN})
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stdout + done.stderr
