"""The metadata tables over the catalog: specials, aliases, folders, relations, changed system collections."""

from domain.model import CollectionKind
from tests.model.conftest import Execute, Look

POSTS = """
    create table author (id int primary key);
    create table post (id int primary key, tags text, secret varchar(255), data text,
                       author int references author);
    insert into acta.directus_collections (collection, sort_field, accountability)
        values ('post', 'id', null);
    insert into acta.directus_fields (collection, field, special, searchable) values
        ('post', 'tags', 'cast-csv', true), ('post', 'secret', 'hash,conceal', true),
        ('post', 'data', 'cast-json', false), ('author', 'posts', 'o2m', true),
        ('post', 'line', 'alias,no-data', true), ('post', 'was_here', null, true),
        ('post', 'nothing', '', true);
    insert into acta.directus_relations (many_collection, many_field, one_collection, one_field) values
        ('post', 'author', 'author', 'posts');
"""


async def test_fields(prepared: object, execute: Execute, look: Look) -> None:
    await execute(POSTS)
    model = await look()
    post = model.collections["post"]
    assert {name: entry.type for name, entry in post.fields.items()} == {
        "id": "integer", "tags": "csv", "secret": "hash", "data": "json", "author": "integer",
        "line": "alias",
    }  # fmt: skip
    assert post.fields["secret"].concealed
    assert not post.fields["data"].searchable
    assert post.fields["line"].presentation
    assert "line" not in post.item_fields
    assert post.fields["id"].meta is None
    meta = post.fields["secret"].meta
    assert meta is not None
    assert meta["special"] == ["hash", "conceal"]
    assert list(post.leftovers) == ["was_here", "nothing"]
    assert post.leftovers["nothing"].meta is not None
    assert post.leftovers["nothing"].meta["special"] == []
    assert post.sort_field == "id"
    assert post.accountability is None
    assert model.collections["author"].meta is None
    assert model.collections["author"].accountability == "all"


async def test_relations(prepared: object, execute: Execute, look: Look) -> None:
    await execute(POSTS)
    await execute("""
        create table piece (id int primary key, item text, collection text, parent int, label int);
        insert into acta.directus_relations (many_collection, many_field, one_collection,
            one_collection_field, one_allowed_collections, junction_field)
        values ('piece', 'item', null, 'collection', 'post,author', 'parent'),
               ('piece', 'label', 'author', null, null, null), ('gone', 'x', 'author', null, null, null),
               ('piece', 'gone', 'author', null, null, null);
    """)
    model = await look()
    own = [each for each in model.relations if not each.collection.startswith("directus_")]
    assert [(each.collection, each.field, each.related, each.constraint is not None) for each in own] == [
        ("post", "author", "author", True),
        ("piece", "item", None, False),
        ("piece", "label", "author", False),
    ]
    item = own[1].meta
    assert own[1].any
    assert item is not None
    assert item.one_allowed_collections == ("post", "author")
    many, one = model.side("post", "author"), model.side("author", "posts")
    assert many is not None
    assert one is not None
    assert (many.kind, one.kind) == ("m2o", "o2m")
    assert one.relation is many.relation
    parts = model.side("piece", "item")
    assert parts is not None
    assert parts.kind == "a2o"


async def test_folders(prepared: object, execute: Execute, look: Look) -> None:
    await execute("insert into acta.directus_collections (collection, icon) values ('things', 'box')")
    things = (await look()).collections["things"]
    assert (things.kind, things.table, things.writable) == (CollectionKind.FOLDER, "", False)
    assert things.meta is not None
    assert things.meta["icon"] == "box"


async def test_custom_parts_of_system_collections(prepared: object, execute: Execute, look: Look) -> None:
    await execute("""
        create table team (id int primary key);
        alter table acta.directus_users add column team int references team;
        insert into acta.directus_fields (collection, field, special) values
            ('directus_users', 'team', 'm2o'), ('directus_users', 'extra', 'alias,no-data'),
            ('directus_users', 'email', 'conceal');
        insert into acta.directus_collections (collection, icon) values ('directus_users', 'person');
    """)
    model = await look()
    users = model.collections["directus_users"]
    assert users.system
    assert not users.fields["team"].system
    assert users.fields["team"].special == ("m2o",)
    assert users.fields["extra"].alias
    # What is built in stays as it is defined.
    assert users.fields["email"].system
    assert users.fields["email"].special == ()
    assert users.meta is not None
    assert users.meta["icon"] == "person"
    assert users.meta["note"] == "$t:directus_collection.directus_users"
    assert users.meta["system"] is True
    assert [name for name in model.collections if name == "directus_users"] == ["directus_users"]
    assert model.side("directus_users", "team") is not None
