"""`acta worker`: the followers and jobs alone, for a host that serves no requests."""


def worker() -> None:
    """Run the followers of the log: sealer, publishers, jobs."""
    import os

    import uvloop

    from cli.console import fail
    from cli.database import database
    from cli.garbage import BATCHES, sparing_what_stays
    from cli.settings import load_settings, with_secret
    from services.extensions.registering import ExtensionError
    from workers.main import run

    with database(with_secret(load_settings())) as (settings, _):
        # Beside the API on one machine, whoever waits for an answer goes first.
        os.nice(settings.server.follower_niceness)
        try:
            with sparing_what_stays(BATCHES):
                uvloop.run(run(settings))
        except ExtensionError as error:
            fail(str(error))
