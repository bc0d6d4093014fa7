"""Where settings come from, what `acta settings` shows of them, and how a wrong one ends a command."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.settings import MASK, child_environment, explain, read, with_database, with_secret
from domain.settings import Settings, SettingsError

PROJECT = Path(__file__).parents[2]


def acta(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with nothing else in its environment."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), **environment},
        capture_output=True,
        text=True,
    )


def test_the_command_line_wins_over_the_environment_and_that_over_the_file() -> None:
    loaded = read(
        {
            "command line": {"PORT": "1"},
            "environment": {"PORT": "2", "HOST": "two", "LOG_LEVEL": ""},
            ".env": {"PORT": "3", "HOST": "three", "LOG_LEVEL": "debug"},
        }
    )
    assert (loaded.settings.server.port, loaded.settings.server.host) == (1, "two")
    assert loaded.settings.log.level == "debug"
    assert (loaded.sources["PORT"], loaded.sources["HOST"], loaded.sources["LOG_LEVEL"]) == (
        "command line",
        "environment",
        ".env",
    )


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file\n")
    loaded = read({"environment": {"SECRET_FILE": str(tmp_path / "key")}})
    assert loaded.settings.auth.secret == SecretStr("from a file")
    with pytest.raises(SettingsError, match="invalid setting SECRET_FILE"):
        read({"environment": {"SECRET_FILE": str(tmp_path / "none")}})


def test_secrets_are_masked_and_every_setting_is_shown() -> None:
    rows = {name: (value, source) for name, value, source in explain(read({"environment": {"SECRET": "x"}}))}
    assert rows["SECRET"] == (MASK, "environment")
    assert rows["ADMIN_PASSWORD"] == ("", "default")
    assert rows["DB_SCHEMAS"] == ("public", "default")
    assert rows["STORAGE_LOCAL_ROOT"] == ("./uploads", "default")


def test_the_command_shows_value_and_source(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=9000\nDATABASE_URL=postgresql://u:hidden@h/d\n")
    done = acta(tmp_path, "settings", HOST="0.0.0.0")
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert rows["PORT"] == ["9000", ".env"]
    assert rows["HOST"] == ["0.0.0.0", "environment"]
    assert "hidden" not in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("command", ["settings", "serve", "worker"])
@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("ACTA_PORT", "1", "acta: unknown setting ACTA_PORT\n"),
        ("QUERY_LIMIT_DEFAULT", "many", "acta: invalid setting QUERY_LIMIT_DEFAULT: Input should be a valid"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(
    tmp_path: Path, command: str, name: str, value: str, line: str
) -> None:
    done = acta(tmp_path, command, **{name: value})
    assert done.returncode == 2
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_does_not_answer_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    done = acta(tmp_path, "serve", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", SECRET="x" * 32)
    assert done.returncode == 1
    assert done.stderr.startswith("acta: the database of DATABASE_URL can't be reached: ")
    assert done.stderr.count("\n") == 1


def test_a_secret_is_made_once_and_kept_for_us_alone(tmp_path: Path) -> None:
    settings = Settings.parse({"ACTA_DATA_DIR": str(tmp_path / "data")})
    first, second = with_secret(settings), with_secret(settings)
    assert first.auth.secret is not None
    assert len(first.auth.secret.get_secret_value()) >= 32
    assert first == second
    assert stat.S_IMODE((tmp_path / "data" / "secret").stat().st_mode) == 0o600


def test_a_child_reads_the_very_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_SCHEMAS", "shop")
    settings = read({"command line": {"PORT": "1", "SECRET": "s"}, "environment": os.environ}).settings
    settings = with_database(settings, "postgresql://u@h/d")
    assert read({"environment": child_environment(settings)}).settings == settings


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    heavy = {"aiohttp", "psycopg", "pydantic", "uvloop", "eventsourcing", "graphene", "rich"}
    script = "import sys, cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True)
    assert not heavy & set(done.stdout.split())
