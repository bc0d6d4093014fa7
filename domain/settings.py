"""All settings as immutable values, grouped by what they govern.

A setting is known by the name of its environment variable, the same as the reference's where it has one.
`Settings.parse` makes them from a mapping of such names to texts and knows no other source; where the texts
come from (environment, `.env`, command line) is the command line's business. An empty text means "not set"
(:func:`is_given`).
Each setting is described in `docs/settings.md`.
"""

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, TypeAdapter, ValidationError, model_validator

from domain.settings_access import (
    ASSET_CSP_PREFIX,
    ASSET_DIRECTIVES,
    DIRECTIVES,
    AuthSettings,
    BrowserSettings,
    LimiterSettings,
    MailSettings,
    policy_directives,
)
from domain.settings_files import AssetsSettings, FilesSettings, ImportSettings
from domain.settings_providers import ProviderSettings, parse_providers
from domain.settings_streams import KafkaSettings, MetricsSettings, WebhookSettings
from domain.settings_types import UNITS, Duration, Group, Limit, Names, SettingsError, Size

__all__ = [
    "AuthSettings",
    "LimiterSettings",
    "MailSettings",
    "Settings",
    "SettingsError",
    "is_given",
    "setting_names",
    "storage_names",
    "value_of",
]

OWN_PREFIX = "ACTA_"
TEST_PREFIX = "ACTA_TEST_"
STORAGE_PREFIX = "STORAGE_"
EMPTY_COUNTS = frozenset({"IMPORT_IP_DENY_LIST"})
SocketAuth = Literal["public", "handshake", "strict"]


class ServerSettings(Group):
    """The HTTP server; times in milliseconds, sizes in bytes."""

    host: str = Field("127.0.0.1", alias="HOST")
    port: int = Field(8055, alias="PORT", ge=0, le=65535)
    public_url: str = Field("/", alias="PUBLIC_URL")
    openapi: bool = Field(True, alias="OPENAPI_ENABLED")
    max_payload_size: Size = Field(UNITS["mb"], alias="MAX_PAYLOAD_SIZE")
    shutdown_timeout: int = Field(10_000, alias="SERVER_SHUTDOWN_TIMEOUT", ge=0)
    follower_niceness: int = Field(10, alias="ACTA_FOLLOWER_NICENESS", ge=0, le=19)
    follower_share: float = Field(0.1, alias="ACTA_FOLLOWER_SHARE", ge=0.01, le=1)


class DatabaseSettings(Group):
    """PostgreSQL; `url` is None for the embedded one; times in milliseconds."""

    url: SecretStr | None = Field(None, alias="DATABASE_URL")
    replica_url: SecretStr | None = Field(None, alias="DATABASE_REPLICA_URL")
    data_dir: str = Field(".acta", alias="ACTA_DATA_DIR")
    schemas: Names = Field(("public",), alias="DB_SCHEMAS", min_length=1)
    exclude_tables: Names = Field(("spatial_ref_sys", "sysdiagrams"), alias="DB_EXCLUDE_TABLES")
    pool_min: int = Field(2, alias="DB_POOL__MIN", ge=0)
    pool_max: int = Field(10, alias="DB_POOL__MAX", ge=1)
    statement_timeout: int = Field(30_000, alias="STATEMENT_TIMEOUT", ge=0)
    adopt_limit: int = Field(100_000, alias="ACTA_ADOPT_LIMIT", ge=0)

    @model_validator(mode="after")
    def _pool_is_a_range(self) -> Self:
        if self.pool_min > self.pool_max:
            raise ValueError("DB_POOL__MIN is greater than DB_POOL__MAX")
        return self


class QuerySettings(Group):
    """How much one request may ask for; None is no limit."""

    limit_default: int = Field(100, alias="QUERY_LIMIT_DEFAULT", ge=1)
    limit_max: Limit = Field(None, alias="QUERY_LIMIT_MAX")
    max_relational_depth: int = Field(10, alias="MAX_RELATIONAL_DEPTH", ge=2)
    max_relations: int = Field(500, alias="MAX_QUERY_RELATIONS", ge=1)
    max_terms: int = Field(5000, alias="MAX_QUERY_TERMS", ge=1, le=60_000)
    max_batch_mutation: Limit = Field(None, alias="MAX_BATCH_MUTATION")
    max_parse_depth: int = Field(10, alias="QUERYSTRING_MAX_PARSE_DEPTH", ge=0)
    array_limit: int = Field(500, alias="QUERYSTRING_ARRAY_LIMIT", ge=0)
    max_json_depth: int = Field(10, alias="MAX_JSON_QUERY_DEPTH", ge=1)


class HistorySettings(Group):
    """Past rows: kept for which collections, how many events a query may fold; changes made by others."""

    collections: Names = Field((), alias="HISTORY_COLLECTIONS")
    fold_limit: int = Field(20_000, alias="HISTORY_FOLD_LIMIT", ge=0)
    activity_retention: Duration | None = Field(None, alias="ACTIVITY_RETENTION")
    revisions_retention: Duration | None = Field(None, alias="REVISIONS_RETENTION")
    external: bool = Field(False, alias="EXTERNAL_CHANGES")
    external_limit: Size = Field(UNITS["gb"], alias="EXTERNAL_CHANGES_LIMIT")


class GraphQLSettings(Group):
    """What one GraphQL document may ask for."""

    introspection: bool = Field(True, alias="GRAPHQL_INTROSPECTION")
    token_limit: int = Field(5000, alias="GRAPHQL_QUERY_TOKEN_LIMIT", ge=1)
    cost_limit: Limit = Field(10_000_000, alias="GRAPHQL_QUERY_COST_LIMIT")


class LogSettings(Group):
    """What the processes write about themselves (not the event log)."""

    level: Literal["fatal", "error", "warn", "info", "debug", "trace", "silent"] = Field(
        "info", alias="LOG_LEVEL"
    )
    style: Literal["pretty", "raw"] = Field("pretty", alias="LOG_STYLE")
    requests: bool = Field(False, alias="LOG_REQUESTS")


class RealtimeSettings(Group):
    """WebSockets; times in seconds, limits None for none."""

    enabled: bool = Field(False, alias="WEBSOCKETS_ENABLED")
    rest_enabled: bool = Field(True, alias="WEBSOCKETS_REST_ENABLED")
    rest_path: str = Field("/websocket", alias="WEBSOCKETS_REST_PATH", pattern="^/.")
    rest_auth: SocketAuth = Field("handshake", alias="WEBSOCKETS_REST_AUTH")
    rest_auth_timeout: float = Field(10, alias="WEBSOCKETS_REST_AUTH_TIMEOUT", gt=0)
    rest_limit: Limit = Field(None, alias="WEBSOCKETS_REST_CONN_LIMIT")
    graphql_enabled: bool = Field(True, alias="WEBSOCKETS_GRAPHQL_ENABLED")
    graphql_path: str = Field("/graphql", alias="WEBSOCKETS_GRAPHQL_PATH", pattern="^/.")
    graphql_auth: SocketAuth = Field("handshake", alias="WEBSOCKETS_GRAPHQL_AUTH")
    graphql_auth_timeout: float = Field(10, alias="WEBSOCKETS_GRAPHQL_AUTH_TIMEOUT", gt=0)
    graphql_limit: Limit = Field(None, alias="WEBSOCKETS_GRAPHQL_CONN_LIMIT")
    logs_enabled: bool = Field(True, alias="WEBSOCKETS_LOGS_ENABLED")
    logs_path: str = Field("/websocket/logs", alias="WEBSOCKETS_LOGS_PATH", pattern="^/.")
    logs_level: Literal["trace", "debug", "info", "warn", "error", "fatal"] = Field(
        "info", alias="WEBSOCKETS_LOGS_LEVEL"
    )
    logs_style: Literal["pretty", "raw"] = Field("pretty", alias="WEBSOCKETS_LOGS_STYLE")
    logs_limit: Limit = Field(None, alias="WEBSOCKETS_LOGS_CONN_LIMIT")
    heartbeat_enabled: bool = Field(True, alias="WEBSOCKETS_HEARTBEAT_ENABLED")
    heartbeat_period: float = Field(30, alias="WEBSOCKETS_HEARTBEAT_PERIOD", gt=0)


class FlowSettings(Group):
    """What flows may do; times in milliseconds, memory in megabytes."""

    environment: Names = Field((), alias="FLOWS_ENV_ALLOW_LIST")
    script_timeout: int = Field(10_000, alias="FLOWS_RUN_SCRIPT_TIMEOUT", ge=1)
    script_memory: int = Field(32, alias="FLOWS_RUN_SCRIPT_MAX_MEMORY", ge=8)


class ExtensionSettings(Group):
    """Installed extensions; times in milliseconds."""

    must_load: bool = Field(False, alias="EXTENSIONS_MUST_LOAD")
    hook_timeout: int = Field(5000, alias="EXTENSIONS_HOOK_TIMEOUT", ge=1)


class LocalStorage(Group):
    """Files in a directory of this machine."""

    driver: Literal["local"] = Field("local", alias="DRIVER")
    root: str = Field("./uploads", alias="ROOT")
    health_threshold: int = Field(750, alias="HEALTHCHECK_THRESHOLD", ge=0)


class S3Storage(Group):
    """Files in a bucket of an S3-compatible service, below the prefix `root`."""

    driver: Literal["s3"] = Field(alias="DRIVER")
    root: str = Field("", alias="ROOT")
    bucket: str = Field(alias="BUCKET")
    key: str | None = Field(None, alias="KEY")
    secret: SecretStr | None = Field(None, alias="SECRET")
    region: str | None = Field(None, alias="REGION")
    endpoint: str = Field("https://s3.amazonaws.com", alias="ENDPOINT")
    acl: str | None = Field(None, alias="ACL")
    encryption: Literal["AES256", "aws:kms"] | None = Field(None, alias="SERVER_SIDE_ENCRYPTION")
    encryption_key: str | None = Field(None, alias="SERVER_SIDE_ENCRYPTION_KMS_KEY_ID")
    public_endpoint: str | None = Field(None, alias="PUBLIC_ENDPOINT")
    force_path_style: bool = Field(False, alias="FORCE_PATH_STYLE")
    connection_timeout: int = Field(5000, alias="CONNECTION_TIMEOUT", ge=1)
    socket_timeout: int = Field(120_000, alias="SOCKET_TIMEOUT", ge=1)
    max_sockets: int = Field(500, alias="MAX_SOCKETS", ge=1)
    health_threshold: int = Field(750, alias="HEALTHCHECK_THRESHOLD", ge=0)


StorageLocation = Annotated[LocalStorage | S3Storage, Field(discriminator="driver")]


class StorageSettings(Group):
    """The places files may be stored in; the first name is where uploads go."""

    names: Names = Field(("local",), alias="STORAGE_LOCATIONS", min_length=1)
    locations: Mapping[str, StorageLocation] = Field(default_factory=lambda: {"local": LocalStorage()})


class Settings(Group):
    """Everything that can be set, by group."""

    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    query: QuerySettings = QuerySettings()
    history: HistorySettings = HistorySettings()
    graphql: GraphQLSettings = GraphQLSettings()
    auth: AuthSettings = AuthSettings()
    limiter: LimiterSettings = LimiterSettings()
    browser: BrowserSettings = BrowserSettings()
    mail: MailSettings = MailSettings()
    providers: ProviderSettings = ProviderSettings()
    directives: Mapping[str, str] = Field(default_factory=lambda: dict(DIRECTIVES))
    asset_directives: Mapping[str, str] = Field(default_factory=lambda: dict(ASSET_DIRECTIVES))
    log: LogSettings = LogSettings()
    realtime: RealtimeSettings = RealtimeSettings()
    metrics: MetricsSettings = MetricsSettings()
    flows: FlowSettings = FlowSettings()
    extensions: ExtensionSettings = ExtensionSettings()
    kafka: KafkaSettings = KafkaSettings()
    webhooks: WebhookSettings = WebhookSettings()
    files: FilesSettings = FilesSettings()
    assets: AssetsSettings = AssetsSettings()
    imports: ImportSettings = ImportSettings()
    storage: StorageSettings = StorageSettings()

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> Self:
        """Make settings from texts by environment name; names that aren't settings are ignored.

        Raises SettingsError for a value that doesn't fit, and for an unknown name with the prefix ACTA_,
        which can only be a typing error.
        """
        _reject_unknown(values)
        given = {name: text for name, text in values.items() if is_given(name, text)}
        groups: dict[str, Any] = {
            field: _parse_group(group, given)
            for field, group in _groups().items()
            if field not in ("storage", "providers")
        }
        return cls(
            **groups,
            storage=_parse_storage(given),
            providers=parse_providers(given),
            directives=policy_directives(given),
            asset_directives=policy_directives(given, ASSET_CSP_PREFIX, ASSET_DIRECTIVES),
        )


def is_given(name: str, text: str) -> bool:
    """Whether a text sets a setting: any but an empty one, which only says something of a list that may be
    empty though its default is not."""
    return text != "" or name in EMPTY_COUNTS


def setting_names() -> tuple[str, ...]:
    """The environment names of all settings, in the order of the groups; storage locations add theirs."""
    return tuple(
        field.alias for group in _groups().values() for field in group.model_fields.values() if field.alias
    )


def storage_names(location: str) -> tuple[str, ...]:
    """The environment names a storage location may have."""
    fields = [*LocalStorage.model_fields.values(), *S3Storage.model_fields.values()]
    aliases = dict.fromkeys(field.alias for field in fields)
    return tuple(f"{STORAGE_PREFIX}{location.upper()}_{alias}" for alias in aliases)


def value_of(settings: Settings, name: str) -> object:
    """The value of a setting by its environment name; None for a name that isn't set by itself."""
    for group_name, group in _groups().items():
        for field, info in group.model_fields.items():
            if info.alias == name:
                return getattr(getattr(settings, group_name), field)
    for location_name, location in settings.storage.locations.items():
        for field, info in type(location).model_fields.items():
            if f"{STORAGE_PREFIX}{location_name.upper()}_{info.alias}" == name:
                return getattr(location, field)
    for provider_name, provider in settings.providers.providers.items():
        for field, info in type(provider).model_fields.items():
            if f"AUTH_{provider_name.upper()}_{info.alias}" == name:
                return getattr(provider, field)
    return None


def _groups() -> dict[str, type[Group]]:
    annotations = {field: info.annotation for field, info in Settings.model_fields.items()}
    return {
        field: group
        for field, group in annotations.items()
        if isinstance(group, type) and issubclass(group, Group)
    }


def _reject_unknown(values: Mapping[str, str]) -> None:
    known = [name for name in setting_names() if name.startswith(OWN_PREFIX)]
    for name in values:
        if not name.startswith(OWN_PREFIX) or name.startswith(TEST_PREFIX) or name in known:
            continue
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise SettingsError(f"unknown setting {name}{hint}")


def _parse_group(group: type[Group], given: Mapping[str, str]) -> Group:
    names = [field.alias for field in group.model_fields.values() if field.alias]
    try:
        return group.model_validate({name: given[name] for name in names if name in given})
    except ValidationError as error:
        raise _as_settings_error(error) from None


def _parse_storage(given: Mapping[str, str]) -> StorageSettings:
    default = StorageSettings()
    names = default.names
    if "STORAGE_LOCATIONS" in given:
        names = TypeAdapter(Names).validate_python(given["STORAGE_LOCATIONS"])
    adapter: TypeAdapter[LocalStorage | S3Storage] = TypeAdapter(StorageLocation)
    locations = {}
    for location in names:
        prefix = f"{STORAGE_PREFIX}{location.upper()}_"
        texts = {name: given[name] for name in storage_names(location) if name in given}
        options = {name.removeprefix(prefix): text for name, text in texts.items()}
        try:
            locations[location] = adapter.validate_python({"DRIVER": "local", **options})
        except ValidationError as error:
            raise _as_settings_error(error, prefix) from None
    try:
        return StorageSettings(STORAGE_LOCATIONS=names, locations=locations)
    except ValidationError as error:
        raise _as_settings_error(error) from None


def _as_settings_error(error: ValidationError, prefix: str = "") -> SettingsError:
    # Only the first of several errors, and never the value: it may be a secret.
    first = error.errors(include_input=False, include_url=False)[0]
    if first["type"] == "union_tag_invalid":
        return SettingsError(
            f"invalid setting {prefix}DRIVER: Input should be {first['ctx']['expected_tags']}"
        )
    place = [part for part in first["loc"] if isinstance(part, str) and part.isupper()]
    reason = first["msg"].removeprefix("Value error, ")
    return SettingsError(
        f"invalid setting {prefix}{place[0]}: {reason}" if place else f"invalid settings: {reason}"
    )
