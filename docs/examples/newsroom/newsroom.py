"""An extension of Acta for a newsroom: articles get a slug, and what is embargoed stays unpublished.

It expects a collection ``articles`` with the fields ``title``, ``slug``, ``status`` and ``embargo`` and, for
what has been done, a collection ``news_log`` with a field ``text``.
"""

import re
from datetime import UTC, datetime


def hooks(register, context):
    """The entry point of ``acta.hooks``."""
    register.filter("articles.items.create", with_slug)
    register.filter("articles.items.update", with_slug)
    register.filter("articles.items.create", keep_embargo)
    register.filter("articles.items.update", keep_embargo)
    register.action("articles.items.create", note)
    register.schedule("*/5 * * * *", publish_due)


async def with_slug(payload, meta, context):
    """Before an article is written: its slug follows from its title."""
    if "title" in payload and "slug" not in payload:
        return {**payload, "slug": slug_of(payload["title"] or "")}
    return None


async def keep_embargo(payload, meta, context):
    """Before an article is written or deleted: nobody publishes it too early."""
    if payload.get("status") != "published":
        return
    articles = context.items("articles")
    embargoes = [payload.get("embargo")]
    for key in meta.get("keys", ()):
        article = await articles.read_one(key, {"fields": ["embargo"]})
        embargoes.append(article and article["embargo"])
    if any(embargo and embargo > now() for embargo in embargoes):
        raise context.error(409, "EMBARGOED", "This article is embargoed.")


async def note(meta, context):
    """After an article was written, also if Acta was killed in between."""
    who = (context.accountability or {}).get("user")
    context.log.info("article %s by %s", meta["key"], who)
    await context.items("news_log").create({"text": f"article {meta['key']}"})


async def publish_due(context):
    """Every five minutes, in one process of the cluster."""
    articles = context.items("articles")
    due = await articles.read(
        {"filter": {"status": {"_eq": "due"}, "embargo": {"_lt": "$NOW"}}, "fields": ["id"], "limit": -1}
    )
    if due:
        await articles.update([article["id"] for article in due], {"status": "published"})


def endpoint(router, context):
    """The entry point of ``acta.endpoints``: routes below ``/newsroom``."""
    router.get("/status/{status}", with_status)
    router.post("/publish", publish)


async def with_status(request, context):
    """GET /newsroom/status/{status}: the titles that the caller may read."""
    status = request.match_info["status"]
    articles = context.items("articles", as_caller=True)
    found = await articles.read({"filter": {"status": {"_eq": status}}, "fields": ["title"], "sort": ["id"]})
    return {"data": [article["title"] for article in found]}


async def publish(request, context):
    """POST /newsroom/publish: an array of keys, with the rights of the caller."""
    keys = await request.json()
    return {"data": await context.items("articles", as_caller=True).update(keys, {"status": "published"})}


async def make_slug(options, context):
    """The entry point of ``acta.operations``: the operation ``slug`` of flows."""
    return slug_of(str(options.get("text", "")))


def slug_of(title):
    """A title as part of a URL."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def now():
    """The time, as Acta writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
