-- name: announce
-- Tells every process, once the transaction commits, that the model has changed.
SELECT pg_catalog.pg_notify('acta_model', '');

-- name: stirred
-- A number that grows whenever the catalog is written to: by anybody and in any table of the database.
SELECT sum(pg_catalog.pg_stat_get_tuples_inserted(c.oid) + pg_catalog.pg_stat_get_tuples_updated(c.oid)
           + pg_catalog.pg_stat_get_tuples_deleted(c.oid))::text
FROM pg_catalog.pg_class AS c
WHERE c.oid = ANY (ARRAY[
    'pg_catalog.pg_class', 'pg_catalog.pg_attribute', 'pg_catalog.pg_attrdef', 'pg_catalog.pg_constraint',
    'pg_catalog.pg_index', 'pg_catalog.pg_type', 'pg_catalog.pg_enum', 'pg_catalog.pg_inherits', 'pg_catalog.pg_rewrite',
    'pg_catalog.pg_trigger', 'pg_catalog.pg_description', 'pg_catalog.pg_namespace'
]::regclass[]::oid[]);

-- name: listen
-- Makes a connection hear announcements.
LISTEN acta_model;
