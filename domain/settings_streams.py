"""Settings of what follows the log, and of what monitoring is told about it."""

from pydantic import Field

from domain.settings_types import Group, Names, Secrets


class MetricsSettings(Group):
    """What the processes tell monitoring; ``lag_threshold`` in events."""

    enabled: bool = Field(False, alias="METRICS_ENABLED")
    tokens: Secrets = Field((), alias="METRICS_TOKENS")
    prefix: str = Field("directus_", alias="METRICS_NAME_PREFIX", pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")
    lag_threshold: int = Field(10_000, alias="ACTA_FOLLOWER_LAG_THRESHOLD", ge=0)


class KafkaSettings(Group):
    """Where events are published to; nothing is when `bootstrap_servers` is empty."""

    bootstrap_servers: Names = Field((), alias="KAFKA_BOOTSTRAP_SERVERS")
    topic_prefix: str = Field("acta.", alias="KAFKA_TOPIC_PREFIX")
