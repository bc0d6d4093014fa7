import pytest

from api.middleware.request_log import redact


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/items/a?access_token=secret&x=1", "/items/a?access_token=--redacted--&x=1"),
        ("/items/a?x=1&ACCESS_TOKEN=secret", "/items/a?x=1&ACCESS_TOKEN=--redacted--"),
        ("/users/register/verify-email?token=secret", "/users/register/verify-email?token=--redacted--"),
        ("/items/a?fields=my_token=1", "/items/a?fields=my_token=1"),
    ],
)
def test_tokens_in_urls_are_never_logged(url: str, expected: str) -> None:
    assert redact(url) == expected
