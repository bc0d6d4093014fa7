"""The post of a process, as the settings want it."""

from __future__ import annotations

from domain.settings import Settings
from projections.access.counters import store_of
from projections.database import Database
from projections.system.letters import letter_defaults
from services.mail.limits import MailLimits
from services.mail.post import Post


def post_of(settings: Settings, database: Database) -> Post:
    """Sends the letters of one process."""
    limits = MailLimits(settings.limiter, store_of(settings.limiter.store, database))
    return Post(settings.mail, letter_defaults(database, settings.server.public_url), limits)
