from uuid import UUID

from api.middleware.headers import request_id, weak_etag


def test_request_ids_are_random_uuids() -> None:
    ids = {request_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(str(UUID(text)) == text and UUID(text).version == 4 for text in ids)
    assert {text[19] for text in ids} == set("89ab")


def test_tags_tell_bodies_apart() -> None:
    assert weak_etag(b"a") == weak_etag(b"a")
    assert len({weak_etag(body) for body in (b"", b"a", b"b", b"aa", b"ab", b"ba")}) == 6
