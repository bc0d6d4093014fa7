"""Typed places: what the application holds for all requests, and what a request knows about itself."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from domain.access.caller import Caller
from domain.access.rights import Rights
from domain.model.schema import Model
from domain.settings import Settings

if TYPE_CHECKING:
    from api.auth.accounts import AccountService
    from api.auth.attempts import Attempts
    from api.auth.authenticate import Authenticator
    from api.auth.issuing import Issuer
    from api.auth.limiter import Limiter
    from api.auth.login import Login
    from api.auth.sessions import Sessions
    from api.auth.shares import ShareLogin
    from api.auth.sso.providers import Providers
    from api.auth.tokens import Signer
    from api.background import Places
    from api.files.health import StorageHealth
    from api.graphql.run import Engine
    from api.items import Items
    from api.rest.metrics import Metrics
    from domain.access.sealed import Seal
    from projections.database import Database
    from projections.emitter import Emitter
    from projections.flows.runner import Flows
    from projections.log.contexts import Contexts
    from projections.reading.past import PastReader
    from projections.reading.reader import Reader
    from projections.schema.service import SchemaService
    from projections.system.accounts import Accounts
    from projections.system.content_versions import ContentVersions
    from projections.system.users import UserLog
    from projections.tables.importing import Importer
    from projections.tables.item_writer import ItemWriter
    from projections.tables.sorting import Sorter
    from projections.tables.store import ModelStore
    from projections.tables.writing.idempotency import IdempotencyKeys, OnceKey
    from projections.time.undo import Undo
    from services.extensions.loading import Extensions
    from services.files.library import Library
    from services.files.resumable import Resumable
    from services.files.variants import Variants
    from services.mail.post import Post
    from services.web.guarded import GuardedClient


@dataclass(slots=True)
class Context:
    """One request: its id, who sends it with which rights, and the model it began with.

    ``session`` is the id of the caller's session when the token belongs to one. ``once`` is the key under
    which its write is carried out once. ``settled`` tells that a write of it is committed.
    """

    request: str
    caller: Caller
    rights: Rights
    model: Model
    session: str | None = None
    once: OnceKey | None = None
    settled: bool = False


SETTINGS = web.AppKey("settings", Settings)
DATABASE: web.AppKey[Database] = web.AppKey("database")
MODELS: web.AppKey[ModelStore] = web.AppKey("models")
READER: web.AppKey[Reader] = web.AppKey("reader")
WRITER: web.AppKey[ItemWriter] = web.AppKey("writer")
SCHEMA: web.AppKey[SchemaService] = web.AppKey("schema")
PAST: web.AppKey[PastReader] = web.AppKey("past")
UNDO: web.AppKey[Undo] = web.AppKey("undo")
SORTER: web.AppKey[Sorter] = web.AppKey("sorter")
IMPORTER: web.AppKey[Importer] = web.AppKey("importer")
EXPORTS: web.AppKey[Places] = web.AppKey("places of exports into files")
DOWNLOADS: web.AppKey[Places] = web.AppKey("places of exports that are sent")
SOCKET_PATHS: web.AppKey[frozenset[str]] = web.AppKey("socket paths")
IDEMPOTENCY: web.AppKey[IdempotencyKeys] = web.AppKey("idempotency")
CONTEXTS: web.AppKey[Contexts] = web.AppKey("contexts")
ITEMS: web.AppKey[Items] = web.AppKey("items")
CONTENT_VERSIONS: web.AppKey[ContentVersions] = web.AppKey("content_versions")
GRAPHQL: web.AppKey[Engine] = web.AppKey("graphql")
LIBRARY: web.AppKey[Library] = web.AppKey("library")
STORAGE_HEALTH: web.AppKey[StorageHealth] = web.AppKey("storage health")
RESUMABLE: web.AppKey[Resumable] = web.AppKey("resumable")
WEB_CLIENT: web.AppKey[GuardedClient] = web.AppKey("web client")
VARIANTS: web.AppKey[Variants] = web.AppKey("variants")
EMITTER: web.AppKey[Emitter] = web.AppKey("emitter")
EXTENSIONS: web.AppKey[Extensions] = web.AppKey("extensions")
FLOWS: web.AppKey[Flows] = web.AppKey("flows")
BACKGROUND: web.AppKey[set[asyncio.Task[Any]]] = web.AppKey("background tasks")
SIGNER: web.AppKey[Signer] = web.AppKey("signer")
SESSIONS: web.AppKey[Sessions] = web.AppKey("sessions")
LIMITER: web.AppKey[Limiter] = web.AppKey("limiter")
ACCOUNTS: web.AppKey[AccountService] = web.AppKey("accounts")
ACCOUNT_LOOKUP: web.AppKey[Accounts] = web.AppKey("account lookup")
ATTEMPTS: web.AppKey[Attempts] = web.AppKey("attempts")
ISSUER: web.AppKey[Issuer] = web.AppKey("issuer")
POST: web.AppKey[Post] = web.AppKey("post")
PROVIDERS: web.AppKey[Providers] = web.AppKey("providers")
SHARES: web.AppKey[ShareLogin] = web.AppKey("shares")
USERS: web.AppKey[UserLog] = web.AppKey("users")
SEAL: web.AppKey[Seal] = web.AppKey("seal")
LOGIN: web.AppKey[Login] = web.AppKey("login")
AUTHENTICATOR: web.AppKey[Authenticator] = web.AppKey("authenticator")
METRICS: web.AppKey[Metrics] = web.AppKey("metrics")

REQUEST_ID = web.RequestKey("request_id", str)
CONTEXT = web.RequestKey("context", Context)
VERSION = web.ResponseKey("version", str)
