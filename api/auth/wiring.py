"""The services of this room, made once per process and put where handlers find them."""

from __future__ import annotations

from aiohttp import web

from api import keys
from api.auth.accounts import AccountService
from api.auth.attempts import Attempts
from api.auth.authenticate import Authenticator
from api.auth.issuing import Issuer
from api.auth.login import Login
from api.auth.sessions import Sessions
from api.auth.shares import ShareLogin
from api.auth.tokens import Signer, random_token
from domain.access.sealed import Seal
from projections.access.counters import Counters
from projections.system.accounts import Accounts
from projections.system.rights import RightsStore
from projections.system.share_rights import ShareRights
from projections.system.users import UserLog


def wire(app: web.Application, rights: RightsStore) -> None:
    """Make the services, from those of reading and writing that are there already."""
    settings = app[keys.SETTINGS]
    database, models = app[keys.DATABASE], app[keys.MODELS]
    secret = settings.auth.secret.get_secret_value() if settings.auth.secret else random_token()
    signer, seal = Signer(secret), Seal(secret)
    accounts, counters = Accounts(database), Counters(database)
    sessions = Sessions(database, settings.auth, secret)
    users = UserLog(database, models, app[keys.WRITER], app[keys.CONTEXTS])
    attempts = Attempts(counters, accounts, users, rights)
    issuer = Issuer(models, rights, sessions, signer, settings.auth, users, accounts, app[keys.EMITTER])
    post = app[keys.POST]
    app[keys.SIGNER] = signer
    app[keys.SEAL] = seal
    app[keys.SESSIONS] = sessions
    app[keys.ACCOUNT_LOOKUP] = accounts
    app[keys.ATTEMPTS] = attempts
    app[keys.ISSUER] = issuer
    app[keys.USERS] = users
    app[keys.ACCOUNTS] = AccountService(accounts, users, app[keys.ITEMS], rights, signer, post, settings)
    app[keys.LOGIN] = login = Login(accounts, sessions, issuer, users, attempts, seal)
    if settings.providers.names:
        # The clients of providers take a while to import.
        from api.auth.sso.providers import Providers, clients_of
        from api.auth.sso.users import ProviderUsers

        members = ProviderUsers(accounts, users, rights, seal, app[keys.EMITTER])
        app[keys.PROVIDERS] = providers = Providers(
            clients_of(settings), members, accounts, issuer, login, counters
        )
        login.welcome = providers.require_welcome
    app[keys.SHARES] = ShareLogin(database, accounts, issuer, attempts, users)
    app[keys.AUTHENTICATOR] = Authenticator(
        database,
        models,
        rights,
        sessions,
        accounts,
        ShareRights(rights, app[keys.READER], accounts),
        signer,
        settings.auth,
    )
