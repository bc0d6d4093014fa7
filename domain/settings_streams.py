"""Settings of what follows the log, and of what monitoring is told about it."""

from typing import Literal

from pydantic import Field, SecretStr

from domain.settings_types import Duration, Group, Names, Secrets

TOPIC = r"^[a-zA-Z0-9._-]{1,249}$"


class MetricsSettings(Group):
    """What the processes tell monitoring; ``lag_threshold`` in events."""

    enabled: bool = Field(False, alias="METRICS_ENABLED")
    tokens: Secrets = Field((), alias="METRICS_TOKENS")
    prefix: str = Field("directus_", alias="METRICS_NAME_PREFIX", pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")
    lag_threshold: int = Field(10_000, alias="ACTA_FOLLOWER_LAG_THRESHOLD", ge=0)


class KafkaSettings(Group):
    """Where events are published to; nothing is when `bootstrap_servers` is empty."""

    bootstrap_servers: Names = Field((), alias="KAFKA_BOOTSTRAP_SERVERS")
    instance: str = Field("acta", alias="KAFKA_INSTANCE", min_length=1, max_length=200)
    source: str | None = Field(None, alias="KAFKA_SOURCE")
    topic: str = Field("acta.{collection}", alias="KAFKA_TOPIC", min_length=1)
    schema_topic: str = Field("acta.schema", alias="KAFKA_SCHEMA_TOPIC", pattern=TOPIC)
    cursor_topic: str = Field("acta.cursors", alias="KAFKA_CURSOR_TOPIC", pattern=TOPIC)
    partitions: int | None = Field(None, alias="KAFKA_PARTITIONS", ge=1)
    replication_factor: int | None = Field(None, alias="KAFKA_REPLICATION_FACTOR", ge=1)
    tombstones: bool = Field(False, alias="KAFKA_TOMBSTONES")
    max_message_bytes: int = Field(1_000_000, alias="KAFKA_MAX_MESSAGE_BYTES", ge=10_000)
    compression: Literal["gzip"] | None = Field(None, alias="KAFKA_COMPRESSION")
    registry_url: str | None = Field(None, alias="SCHEMA_REGISTRY_URL", pattern=r"^https?://")
    registry_username: str | None = Field(None, alias="SCHEMA_REGISTRY_USERNAME")
    registry_password: SecretStr | None = Field(None, alias="SCHEMA_REGISTRY_PASSWORD")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", alias="KAFKA_SECURITY_PROTOCOL"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN", alias="KAFKA_SASL_MECHANISM"
    )
    sasl_username: str | None = Field(None, alias="KAFKA_SASL_USERNAME")
    sasl_password: SecretStr | None = Field(None, alias="KAFKA_SASL_PASSWORD")
    ssl_ca_file: str | None = Field(None, alias="KAFKA_SSL_CA_FILE")
    ssl_cert_file: str | None = Field(None, alias="KAFKA_SSL_CERT_FILE")
    ssl_key_file: str | None = Field(None, alias="KAFKA_SSL_KEY_FILE")
    ssl_key_password: SecretStr | None = Field(None, alias="KAFKA_SSL_KEY_PASSWORD")
    ssl_check_hostname: bool = Field(True, alias="KAFKA_SSL_CHECK_HOSTNAME")


class WebhookSettings(Group):
    """How webhooks are delivered; times in seconds."""

    timeout: float = Field(10, alias="WEBHOOKS_TIMEOUT", gt=0, le=300)
    concurrency: int = Field(8, alias="WEBHOOKS_CONCURRENCY", ge=1, le=100)
    first_retry: float = Field(5, alias="WEBHOOKS_FIRST_RETRY", gt=0, le=86_400)
    attempts: int = Field(16, alias="WEBHOOKS_ATTEMPTS", ge=1, le=100)
    retention: Duration = Field(30 * 86_400, alias="WEBHOOKS_RETENTION", gt=0)
