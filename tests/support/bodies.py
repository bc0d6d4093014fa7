"""Bodies sent in good faith, by the path of their route: those of routes that are not about items."""

from __future__ import annotations

from typing import Any

UUID_TEXT = "aaaaaaaa-0000-4000-8000-000000000001"
BODIES: dict[str, Any] = {
    "/auth/login": {"email": "victim@example.com", "password": "x", "mode": "json", "otp": "1"},
    "/auth/refresh": {"refresh_token": "x", "mode": "json"},
    "/auth/logout": {"refresh_token": "x"},
    "/auth/password/request": {"email": "victim@example.com", "reset_url": "http://localhost/"},
    "/auth/password/reset": {"token": "x", "password": "abc-def-ghi-1"},
    "/users/invite": {"email": ["new@example.com"], "role": UUID_TEXT, "invite_url": "x"},
    "/users/invite/accept": {"token": "x", "password": "abc-def-ghi-1"},
    "/users/register": {"email": "new@example.com", "password": "abc-def-ghi-1", "verification_url": "x"},
    "/users/me/tfa/generate": {"password": "x"},
    "/users/me/tfa/enable": {"secret": "x", "otp": "1"},
    "/users/me/tfa/disable": {"otp": "1"},
    "/users/me/track/page": {"last_page": "/x"},
    "/shares/auth": {"share": UUID_TEXT, "password": "x", "mode": "json"},
    "/shares/invite": {"share": UUID_TEXT, "emails": ["new@example.com"]},
    "/collections": {
        "collection": "scratch",
        "schema": {},
        "meta": {"note": "x", "singleton": False, "sort_field": "id"},
        "fields": [
            {
                "field": "id",
                "type": "integer",
                "schema": {"is_primary_key": True, "has_auto_increment": True},
            },
            {
                "field": "title",
                "type": "string",
                "meta": {"special": ["cast-csv"]},
                "schema": {"max_length": 9},
            },
        ],
    },
    "/fields/{collection}": {
        "field": "extra",
        "type": "string",
        "meta": {"interface": "input", "special": ["uuid"], "validation": {"_and": [{"extra": {"_eq": 1}}]}},
        "schema": {"default_value": "x", "is_nullable": True, "max_length": 5, "numeric_precision": 3},
    },
    "/relations": {
        "collection": "scratch",
        "field": "other",
        "related_collection": "other_scratch",
        "meta": {"one_field": "scratches", "sort_field": "sort", "one_allowed_collections": ["books"]},
        "schema": {"on_delete": "CASCADE"},
    },
    "/schema/diff": {
        "version": 1,
        "directus": "11.17.4",
        "vendor": "postgres",
        "collections": [{"collection": "scratch", "meta": {}, "schema": {"name": "scratch"}}],
        "fields": [{"collection": "scratch", "field": "x", "type": "integer", "meta": {}, "schema": {}}],
        "relations": [],
    },
    "/schema/apply": {
        "hash": "x",
        "diff": {
            "collections": [
                {"collection": "scratch", "diff": [{"kind": "N", "rhs": {"collection": "scratch"}}]}
            ],
            "fields": [
                {"collection": "a", "field": "b", "diff": [{"kind": "A", "index": 1, "item": {"kind": "D"}}]}
            ],
            "relations": [],
        },
    },
    "/schema/rename": {"collection": "scratch", "field": "title", "to": "name"},
    "/schema/retype": {"collection": "scratch", "field": "title", "type": "integer"},
    "/schema/undo": {"collection": "scratch", "field": "title"},
    "/utils/hash/generate": {"string": "x"},
    "/utils/hash/verify": {"string": "x", "hash": "$argon2id$v=19$m=65536,t=3,p=4$x$y"},
    "/utils/sort/{collection}": {"item": 1, "to": 2},
    "/utils/export/{collection}": {"query": {"fields": ["*"]}, "format": "csv", "file": {"title": "x"}},
    "/utils/translations/generate": {"collection": "scratch", "fields": ["title"], "languages": "languages"},
    "/utils/undo": {"request": UUID_TEXT, "dry": True, "skip": True},
    "/utils/redact": {"collection": "scratch", "items": ["1"], "fields": ["title"]},
    "/graphql": {
        "query": "query q($a: Int) { books(limit: $a) { id author { name } } }",
        "variables": {"a": 1},
    },
    "/graphql/system": {"query": "{ server_ping users_me { id } }", "variables": {}, "operationName": "q"},
    "/files": {"title": "x", "type": "text/plain", "storage": "local", "filename_download": "a.txt"},
    "/files/import": {
        "url": "http://localhost:1/",
        "data": {"title": "x"},
        "options": {"filterMimeType": ["a"]},
    },
    "/files/presigned": {
        "filename_download": "a",
        "type": "text/plain",
        "expires": 60,
        "filesize": 5,
        "sha256": "x",
    },
    "/files/presigned/complete": {"token": "x"},
    "/files/{key}/presigned": {"expires": 60, "download": True},
    "/assets/files": {"ids": [UUID_TEXT]},
    "/webhooks/{key}/replays": {"from": 1, "to": 5, "collection": "books"},
    "/versions/{key}/promote": {"mainHash": "x", "fields": ["title"]},
    "/settings/owner": {"project_owner": "new@example.com", "project_usage": "x", "org_name": "x"},
}
