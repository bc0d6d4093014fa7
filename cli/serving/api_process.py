"""One API process of several: `python -m cli.serving.api_process`, started by `acta serve --workers N`."""

import sys

import uvloop

from api.app import create_app
from cli.console import EXIT_FAILURE, say
from cli.logs import configure
from cli.serving.http import serve, stop_on_signals
from cli.settings import load_settings
from domain.settings import Settings
from services.extensions.registering import ExtensionError


async def run(settings: Settings) -> None:
    """Serve on the shared port until a signal."""
    configure(settings.log)
    await serve(create_app(settings), settings.server, stop_on_signals(), share_port=True)


if __name__ == "__main__":
    try:
        uvloop.run(run(load_settings()))
    except (ExtensionError, OSError) as error:
        say(str(error))
        sys.exit(EXIT_FAILURE)
