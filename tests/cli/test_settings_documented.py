"""Every setting is described in docs/settings.md with its true default, and nothing else is."""

import re
from pathlib import Path

from domain.settings import Settings, setting_names, storage_names, value_of
from domain.settings_providers import provider_names

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
ROW = re.compile(r"^\| `([A-Z0-9_<>]+)` \| (?:`(.*?)`)? ?\| (\S.*) \|$", re.MULTILINE)


def documented() -> dict[str, str]:
    """Name and default of each row of the page."""
    return {name: default for name, default, _ in ROW.findall(PAGE.read_text())}


def test_the_page_lists_exactly_the_settings() -> None:
    assert set(documented()) == {*setting_names(), *storage_names("<name>"), *provider_names("<name>")}


def test_the_defaults_on_the_page_are_the_defaults() -> None:
    settings = Settings()
    for name, default in documented().items():
        if name in setting_names():
            parsed = Settings.parse({name: default.replace("`", "")})
            assert value_of(parsed, name) == value_of(settings, name), name
