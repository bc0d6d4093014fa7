-- name: qualify
-- Make the catalog's functions qualify every name until the transaction's search_path is put back.
SELECT set_config('search_path', 'pg_catalog', true);

-- name: current_path
-- The search_path to put back.
SELECT current_setting('search_path');

-- name: restore_path
-- Put the search_path back.
SELECT set_config('search_path', %(path)s, true);

-- name: table
-- All that is needed to make a table again: columns, sequences with their positions, constraints, indexes, triggers, comments, and the partitions or children below it.
WITH target AS (
    SELECT c.oid, c.relkind, c.relpersistence, n.nspname, c.relname, c.reloptions
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = %(table)s
), sequences AS (
    SELECT d.refobjsubid AS attnum,
           jsonb_build_object(
               'schema', n.nspname, 'name', s.relname, 'type', format_type(q.seqtypid, NULL), 'start', q.seqstart,
               'increment', q.seqincrement, 'minimum', q.seqmin, 'maximum', q.seqmax, 'cache', q.seqcache, 'cycle', q.seqcycle,
               'position', pg_sequence_last_value(s.oid)
           ) AS definition
    FROM target AS t
    JOIN pg_catalog.pg_depend AS d ON d.refobjid = t.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0
         AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
    JOIN pg_catalog.pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_catalog.pg_namespace AS n ON n.oid = s.relnamespace
    JOIN pg_catalog.pg_sequence AS q ON q.seqrelid = s.oid
), columns AS (
    SELECT a.attnum, jsonb_build_object(
               'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'required', a.attnotnull,
               'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(f.adbin, f.adrelid) END,
               'generated', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(f.adbin, f.adrelid) END,
               'identity', a.attidentity, 'sequence', s.definition, 'comment', col_description(a.attrelid, a.attnum),
               'collation', CASE WHEN a.attcollation <> y.typcollation THEN quote_ident(ln.nspname) || '.' || quote_ident(l.collname) END
           ) AS definition
    FROM target AS t
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef AS f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
    LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = a.attcollation
    LEFT JOIN pg_catalog.pg_namespace AS ln ON ln.oid = l.collnamespace
    LEFT JOIN sequences AS s ON s.attnum = a.attnum
), constraints AS (
    SELECT k.conname, jsonb_build_object(
               'name', k.conname, 'kind', k.contype, 'definition', pg_get_constraintdef(k.oid),
               'columns', (SELECT jsonb_agg(a.attname ORDER BY place) FROM unnest(k.conkey) WITH ORDINALITY AS part (attnum, place)
                           JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = part.attnum)
           ) AS definition
    FROM target AS t JOIN pg_catalog.pg_constraint AS k ON k.conrelid = t.oid AND k.contype IN ('p', 'u', 'f', 'c', 'x')
    WHERE k.conislocal
), indexes AS (
    SELECT c.relname, jsonb_build_object(
               'name', c.relname, 'definition', pg_get_indexdef(i.indexrelid),
               'columns', (SELECT jsonb_agg(a.attname) FROM pg_catalog.pg_attribute AS a
                           WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey))
           ) AS definition
    FROM target AS t
    JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.conrelid = t.oid)
)
SELECT jsonb_build_object(
    'schema', t.nspname, 'table', t.relname, 'kind', t.relkind, 'unlogged', t.relpersistence = 'u',
    'comment', obj_description(t.oid, 'pg_class'),
    'options', to_jsonb(t.reloptions),
    'partitioning', CASE WHEN t.relkind = 'p' THEN pg_get_partkeydef(t.oid) END,
    'children', (SELECT jsonb_agg(jsonb_build_object('schema', n.nspname, 'table', c.relname, 'bound', pg_get_expr(c.relpartbound, c.oid)) ORDER BY c.relname)
                 FROM pg_catalog.pg_inherits AS h JOIN pg_catalog.pg_class AS c ON c.oid = h.inhrelid
                 JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE h.inhparent = t.oid),
    'columns', (SELECT jsonb_agg(definition ORDER BY attnum) FROM columns),
    'constraints', (SELECT coalesce(jsonb_agg(definition ORDER BY (definition ->> 'kind') = 'f', conname), '[]') FROM constraints),
    'indexes', (SELECT coalesce(jsonb_agg(definition ORDER BY relname), '[]') FROM indexes),
    'triggers', (SELECT coalesce(jsonb_agg(pg_get_triggerdef(g.oid) ORDER BY g.tgname), '[]') FROM pg_catalog.pg_trigger AS g
                 WHERE g.tgrelid = t.oid AND NOT g.tgisinternal)
)
FROM target AS t;
