-- name: present
-- Whether our system tables exist yet.
SELECT to_regclass('acta.directus_collections') IS NOT NULL AND to_regclass('acta.directus_fields') IS NOT NULL
   AND to_regclass('acta.directus_relations') IS NOT NULL;

-- name: collections
-- The metadata of collections, in wire order of members.
SELECT collection, icon, note, display_template, hidden, singleton, translations, archive_field, archive_app_filter,
       archive_value, unarchive_value, sort_field, accountability, color, item_duplication_fields, sort, "group",
       collapse, preview_url, versioning
FROM acta.directus_collections ORDER BY collection;

-- name: field_fingerprints
-- One number per collection that changes with any change of its fields' metadata.
SELECT collection, (sum(xmin::text::bigint * 31 + id) + count(*))::text FROM acta.directus_fields GROUP BY collection;

-- name: fields
-- The metadata of the fields of some collections, in order of creation and in wire order of members.
SELECT id, collection, field, special, interface, options, display, display_options, readonly, hidden, sort, width,
       translations, note, conditions, required, "group", validation, validation_message, searchable
FROM acta.directus_fields WHERE collection = ANY (%(collections)s) ORDER BY id;

-- name: relations
-- The metadata of relations, in order of creation.
SELECT id, many_collection, many_field, one_collection, one_field, one_collection_field, one_allowed_collections,
       junction_field, sort_field, one_deselect_action
FROM acta.directus_relations ORDER BY id;
