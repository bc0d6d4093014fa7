"""Settings are parsed from texts by environment name, and a wrong one is named."""

import pytest
from pydantic import SecretStr

from cli.settings import read
from domain.net.addresses import Denied
from domain.settings import LocalStorage, S3Storage, Settings, SettingsError


def test_nothing_set_gives_the_defaults() -> None:
    settings = Settings.parse({})
    assert settings == Settings()
    assert settings.database.url is None
    assert settings.query.limit_default == 100
    assert settings.query.limit_max is None
    assert settings.server.max_payload_size == 1024 * 1024
    assert settings.storage.locations == {"local": LocalStorage()}


def test_an_empty_text_means_not_set() -> None:
    assert Settings.parse({"DATABASE_URL": "", "PORT": ""}) == Settings()


def test_an_empty_deny_list_denies_nothing() -> None:
    assert Settings.parse({"IMPORT_IP_DENY_LIST": ""}).files.import_deny == ()
    layers = {"environment": {"IMPORT_IP_DENY_LIST": ""}, ".env": {"IMPORT_IP_DENY_LIST": "10.0.0.0/8"}}
    assert read(layers).settings.files.import_deny == ()
    denied = Denied.parse(())
    assert not denied.refuses("169.254.169.254")
    assert not denied.refuses("127.0.0.1", ["127.0.0.1"])


def test_lists_are_separated_by_commas() -> None:
    assert Settings.parse({"DB_SCHEMAS": "public, shop,"}).database.schemas == ("public", "shop")


@pytest.mark.parametrize(
    ("text", "size"), [("500", 500), ("10kb", 10240), ("1.5MB", 1572864), ("2 gb", 2 * 1024**3)]
)
def test_sizes_have_units(text: str, size: int) -> None:
    assert Settings.parse({"MAX_PAYLOAD_SIZE": text}).server.max_payload_size == size


def test_minus_one_is_no_limit() -> None:
    query = Settings.parse({"QUERY_LIMIT_MAX": "-1", "MAX_BATCH_MUTATION": "5"}).query
    assert query.limit_max is None
    assert query.max_batch_mutation == 5


def test_storage_locations_name_their_own_settings() -> None:
    storage = Settings.parse(
        {
            "STORAGE_LOCATIONS": "disk,cloud",
            "STORAGE_DISK_ROOT": "/files",
            "STORAGE_CLOUD_DRIVER": "s3",
            "STORAGE_CLOUD_BUCKET": "media",
            "STORAGE_CLOUD_SECRET": "hidden",
        }
    ).storage
    assert storage.names == ("disk", "cloud")
    assert storage.locations["disk"] == LocalStorage(ROOT="/files")
    assert storage.locations["cloud"] == S3Storage(DRIVER="s3", BUCKET="media", SECRET=SecretStr("hidden"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("PORT", "abc", "invalid setting PORT: Input should be a valid integer"),
        ("PORT", "70000", "invalid setting PORT: "),
        ("MAX_PAYLOAD_SIZE", "big", "invalid setting MAX_PAYLOAD_SIZE: a size looks like"),
        ("QUERY_LIMIT_MAX", "-4", "invalid setting QUERY_LIMIT_MAX: "),
        ("DB_SCHEMAS", ",", "invalid setting DB_SCHEMAS: "),
        ("LOG_LEVEL", "loud", "invalid setting LOG_LEVEL: Input should be 'fatal'"),
        ("DB_POOL__MIN", "50", "invalid settings: DB_POOL__MIN is greater than DB_POOL__MAX"),
        (
            "STORAGE_LOCAL_DRIVER",
            "ftp",
            "invalid setting STORAGE_LOCAL_DRIVER: Input should be 'local', 's3'",
        ),
        ("STORAGE_LOCAL_DRIVER", "s3", "invalid setting STORAGE_LOCAL_BUCKET: Field required"),
        ("ACTA_DATADIR", "x", "unknown setting ACTA_DATADIR (did you mean ACTA_DATA_DIR?)"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(name: str, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.parse({name: text})
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_the_environment_of_the_tests_and_of_others_is_ignored() -> None:
    assert Settings.parse({"ACTA_TEST_DATABASE_URL": "x", "KAFKA_HOME": "/opt/kafka"}) == Settings()


def test_the_value_of_a_secret_never_shows() -> None:
    settings = Settings.parse({"SECRET": "s3cret", "DATABASE_URL": "postgresql://u:p4ss@h/d"})
    assert "s3cret" not in repr(settings)
    assert "p4ss" not in repr(settings)
