"""`acta users` works on a database without a running server, and what it makes logs in."""

import re
from pathlib import Path

import psycopg

from tests.support.http import client
from tests.support.server import acta, running_server, start


def output(database_url: str, *arguments: str) -> str:
    done = acta(database_url, "users", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_a_user_made_by_command_can_be_used(database_url: str) -> None:
    with running_server(database_url, "--no-followers") as server:
        output(database_url, "create", "Second@example.com", "--password", "first-password")
        output(database_url, "password", "second@example.com", "--password", "second-password")
        token = output(database_url, "token", "second@example.com").strip()
        async with client(server) as api:
            login = {"email": "second@example.com", "password": "second-password"}
            assert (await api.post("/auth/login", login)).status == 200
            assert (await api.post("/auth/login", {**login, "password": "first-password"})).status == 401
            me = await api.request("GET", "/users/me", headers={"Authorization": f"Bearer {token}"})
            assert me.data["email"] == "Second@example.com"
    listed = [line.split("\t") for line in output(database_url, "list").splitlines()]
    assert sorted(row[:3] for row in listed) == [
        ["Second@example.com", "Administrator", "active"],
        ["admin@example.com", "Administrator", "active"],
    ]
    with psycopg.connect(database_url) as connection:
        events = connection.execute(
            "SELECT count(*) FROM acta.events WHERE collection = 'directus_users' AND payload::text LIKE %s",
            ["%" + token + "%"],
        ).fetchone()
    assert events == (0,)


def test_unknown_names_are_one_line_and_exit_code_1(database_url: str) -> None:
    with running_server(database_url, "--no-followers"):
        pass
    nobody = acta(database_url, "users", "token", "nobody@example.com")
    assert (nobody.returncode, nobody.stderr) == (1, "acta: there is no user nobody@example.com\n")
    role = acta(database_url, "users", "create", "a@example.com", "--password", "x-x-x-x-x", "--role", "None")
    assert (role.returncode, role.stderr) == (1, "acta: there is no role None\n")


async def test_a_role_made_by_command_has_its_policy(database_url: str) -> None:
    with running_server(database_url, "--no-followers") as server:
        made = acta(database_url, "roles", "create", "Editors", "--app")
        assert made.returncode == 0, made.stderr
        output(database_url, "create", "e@example.com", "--password", "a-password", "--role", "Editors")
        output(database_url, "create", "f@example.com", "--password", "x", "--role", made.stdout.strip())
        output(database_url, "passwd", "e@example.com", "--password", "another-password")
        async with client(server) as api:
            login = await api.post("/auth/login", {"email": "e@example.com", "password": "another-password"})
            headers = {"Authorization": f"Bearer {login.data['access_token']}"}
            found = await api.request("GET", "/policies/me/globals", headers=headers)
            assert found.data == {"app_access": True, "admin_access": False, "enforce_tfa": False}
    listed = acta(database_url, "roles", "list").stdout.splitlines()
    assert f"{made.stdout.strip()}\tEditors" in listed


async def test_what_the_first_start_makes_up_is_printed_once(database_url: str, tmp_path: Path) -> None:
    output_of = [tmp_path / "first", tmp_path / "second"]
    nothing = dict.fromkeys(("ADMIN_EMAIL", "ADMIN_PASSWORD", "ADMIN_TOKEN"), "")
    for path in output_of:
        with path.open("wb") as stream:
            server = start(database_url, "--no-followers", extra=nothing, stderr=stream.fileno())
            if path is output_of[0]:
                printed = path.read_text()
                made = dict(re.findall(r"(password|token), shown this once: (\S+)", printed))
                assert "administrator: admin@example.com" in printed
                async with client(server, made["token"]) as api:
                    login = {"email": "admin@example.com", "password": made["password"]}
                    assert (await api.request("GET", "/policies/me/globals")).data["admin_access"] is True
                    assert (await api.post("/auth/login", login)).status == 200
            assert server.stop() == 0
    assert "shown this once" not in output_of[1].read_text()
    with psycopg.connect(database_url) as connection:
        events = connection.execute("select t::text from acta.events as t").fetchall()
    logged = "\n".join(text for (text,) in events)
    assert "admin@example.com" in logged
    assert not [secret for secret in made.values() if secret in logged]


def test_what_can_not_be_a_user_is_refused(database_url: str) -> None:
    with running_server(database_url, "--no-followers"):
        pass
    for email in ("nonsense", "admin@example.com"):
        refused = acta(database_url, "users", "create", email, "--password", "x")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.count("\n") == 1
        assert '"email"' in refused.stderr
