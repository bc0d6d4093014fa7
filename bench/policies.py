"""A caller with limited rights: one user, ten policies of twenty rules each, the same on both servers.

What the caller may read of a row never depends on hidden values that a case filters or sorts by, so that both
servers answer alike.
"""

import json
from collections.abc import Iterator

from bench.client import call

LIMITED_TOKEN = "bench-limited-token"  # noqa: S105 - of throw-away databases
POLICIES = 10
_EMAIL = "limited@example.com"

Rule = dict[str, object]


def give(url: str) -> str | None:
    """Create the user and his policies unless he is there; what a server refused, or None."""
    if call(f"{url}/users/me", token=LIMITED_TOKEN).ok:
        return None
    policies: list[object] = []
    for number in range(POLICIES):
        rules = {"create": list(_rules(number)), "update": [], "delete": []}
        answer = call(
            f"{url}/policies", "POST", json.dumps({"name": f"Limited {number}", "permissions": rules})
        )
        if not answer.ok:
            return answer.body[:500].decode(errors="replace")
        made = answer.json
        assert isinstance(made, dict)
        policies.append({"policy": made["data"]["id"]})
    user = {"email": _EMAIL, "password": "unused", "token": LIMITED_TOKEN, "policies": policies}
    answer = call(f"{url}/users", "POST", json.dumps(user))
    return None if answer.ok else answer.body[:500].decode(errors="replace")


def _rules(number: int) -> Iterator[Rule]:
    """Two ways to read, one to change and one to delete, for each of five collections."""
    seen: Rule = {"status": {"_eq": "published"}}
    narrow: Rule = {"author": {"id": {"_eq": number}}} if number % 2 else {"views": {"_gte": number * 1000}}
    reads: dict[str, tuple[tuple[list[str], Rule], ...]] = {
        "articles": (
            (["id", "title", "status", "published_at", "author", "comments", "tags"], seen),
            (["*"], {"_and": [seen, narrow]}),
        ),
        "authors": ((["id", "name"], {}), (["*"], {"id": {"_eq": number}})),
        "comments": (
            (["id", "body", "author", "article"], {"author": {"_nnull": True}}),
            (["*"], {"_and": [{"author": {"_nnull": True}}, {"article": {"author": {"_eq": number}}}]}),
        ),
        "tags": ((["id", "name"], {}), (["*"], {"id": {"_gt": number}})),
        "article_tags": ((["*"], {}), (["id"], {"articles_id": {"author": {"_eq": number}}})),
    }
    for collection, alternatives in reads.items():
        for fields, rows in alternatives:
            yield _rule(collection, "read", fields, rows)
        yield _rule(collection, "update", ["*"], {"id": {"_eq": number}})
        yield _rule(collection, "delete", ["*"], {"id": {"_eq": number}})


def _rule(collection: str, action: str, fields: list[str], rows: Rule) -> Rule:
    return {"collection": collection, "action": action, "fields": fields, "permissions": rows}
