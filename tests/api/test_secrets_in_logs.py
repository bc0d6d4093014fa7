"""What the server writes about requests and failures holds no token and no password."""

from pathlib import Path

from tests.support.http import client
from tests.support.server import ADMIN_PASSWORD, ADMIN_TOKEN, start


async def test_request_lines_are_redacted(served_url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as stream:
        server = start(
            served_url,
            "--no-followers",
            extra={"LOG_LEVEL": "debug", "LOG_REQUESTS": "true", "LOG_STYLE": "raw"},
            stderr=stream.fileno(),
        )
        try:
            async with client(server, None) as anonymous:
                path = f"/items/notes?limit=1&access_token={ADMIN_TOKEN}"
                assert (await anonymous.request("GET", path)).status == 200
                credentials = {"email": "admin@example.com", "password": ADMIN_PASSWORD}
                signed = await anonymous.post("/auth/login", credentials)
                cookie = {"Cookie": f"directus_refresh_token={signed.data['refresh_token']}"}
                assert (
                    await anonymous.request("POST", "/auth/refresh", {"mode": "cookie"}, headers=cookie)
                ).status == 200
                await anonymous.request("GET", f"/items/notes?access_token={ADMIN_TOKEN}&x={'a' * 70_000}")
        finally:
            assert server.stop() == 0
    text = log.read_text()
    assert "/items/notes?limit=1&access_token=--redacted--" in text
    for secret in (ADMIN_TOKEN, ADMIN_PASSWORD, signed.data["refresh_token"], signed.data["access_token"]):
        assert secret not in text
