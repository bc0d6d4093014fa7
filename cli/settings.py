"""Where settings come from: the command line, before the environment, before the file `.env`.

`NAME_FILE` names a file that holds the value of `NAME` (a mounted secret).
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from cli.console import EXIT_SETTINGS, fail
from domain.settings import Settings, SettingsError, is_given, setting_names, storage_names, value_of
from domain.settings_providers import provider_names

DOTENV = Path(".env")
FILE_SUFFIX = "_FILE"
MASK = "********"
# Settings that exist once per storage location or provider.
FAMILIES = ("AUTH_", "STORAGE_")


@dataclass(frozen=True)
class Loaded:
    """Settings with the texts they were made from (by environment name) and where each text was found."""

    settings: Settings
    texts: Mapping[str, str]
    sources: Mapping[str, str] = field(default_factory=dict)


def load_settings(options: Mapping[str, object] | None = None) -> Settings:
    """The settings of this process; ends it with exit code 2 and one line when one is wrong.

    `options` are values of the command line by environment name; None means not given.
    """
    return load(options).settings


def load(options: Mapping[str, object] | None = None) -> Loaded:
    """Like `load_settings`, with the origin of each value."""
    given = {name: str(value) for name, value in (options or {}).items() if value is not None}
    try:
        return read({"command line": given, "environment": os.environ, ".env": _dotenv(DOTENV)})
    except SettingsError as error:
        fail(str(error), EXIT_SETTINGS)


def read(layers: Mapping[str, Mapping[str, str]]) -> Loaded:
    """Make settings from named layers, the first one that has a value winning. Raises SettingsError."""
    texts: dict[str, str] = {}
    sources: dict[str, str] = {}
    for source, layer in reversed(list(layers.items())):
        for name, text in _with_files(layer).items():
            if is_given(name, text):
                texts[name], sources[name] = text, source
    return Loaded(Settings.parse(texts), texts, sources)


def explain(loaded: Loaded) -> list[tuple[str, str, str]]:
    """Name, value (secrets masked) and source of every setting."""
    settings = loaded.settings
    names = list(setting_names())
    for location in settings.storage.names:
        names += storage_names(location)
    for provider in settings.providers.names:
        prefix = f"AUTH_{provider.upper()}_"
        names += [
            name for name in provider_names(provider) if name in loaded.texts and name.startswith(prefix)
        ]
    return [(name, _shown(value_of(settings, name)), loaded.sources.get(name, "default")) for name in names]


def with_secret(settings: Settings) -> Settings:
    """Settings with a SECRET: the one given, else one made at the first start and kept in ACTA_DATA_DIR."""
    if settings.auth.secret is not None:
        return settings
    auth = settings.auth.model_copy(update={"secret": _kept(settings, "secret", 48)})
    return settings.model_copy(update={"auth": auth})


def with_admin_token(settings: Settings) -> Settings:
    """Settings with an ADMIN_TOKEN: the one given, else one made once and kept in ACTA_DATA_DIR."""
    if settings.auth.admin_token is not None:
        return settings
    auth = settings.auth.model_copy(update={"admin_token": _kept(settings, "admin-token", 24)})
    return settings.model_copy(update={"auth": auth})


def with_database(settings: Settings, url: str) -> Settings:
    """Settings whose DATABASE_URL is `url`."""
    database = settings.database.model_copy(update={"url": SecretStr(url)})
    return settings.model_copy(update={"database": database})


def child_environment(settings: Settings) -> dict[str, str]:
    """The environment in which a child process reads these very settings, resolved values included."""
    resolved = {
        "DATABASE_URL": settings.database.url,
        "SECRET": settings.auth.secret,
        "HOST": settings.server.host,
        "PORT": settings.server.port,
    }
    return {**os.environ, **{name: _plain(value) for name, value in resolved.items() if value is not None}}


def _kept(settings: Settings, name: str, length: int) -> SecretStr:
    path = Path(settings.database.data_dir) / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.touch(mode=0o600)
        unfinished.write_text(secrets.token_urlsafe(length))
        unfinished.rename(path)
    return SecretStr(path.read_text())


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    return {name: text for name, text in dotenv_values(path).items() if text is not None}


def _with_files(layer: Mapping[str, str]) -> dict[str, str]:
    texts = dict(layer)
    families = [
        name.removesuffix(FILE_SUFFIX)
        for name in layer
        if name.startswith(FAMILIES) and name.endswith(FILE_SUFFIX)
    ]
    for name in (*setting_names(), *families):
        path = texts.pop(name + FILE_SUFFIX, "")
        if path and not texts.get(name):
            try:
                texts[name] = Path(path).read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsError(f"invalid setting {name}{FILE_SUFFIX}: {error}") from None
    return texts


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
