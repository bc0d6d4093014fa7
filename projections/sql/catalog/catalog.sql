-- name: tables
-- The tables and views of the chosen schemas that are collections: no partitions, no inheritance children, no members of extensions.
SELECT c.oid::bigint, n.nspname, c.relname, c.relkind::text, d.description,
       key.conname, key.conkey::int[],
       EXISTS (
           SELECT FROM pg_catalog.pg_trigger AS t
           WHERE t.tgrelid IN (SELECT c.oid UNION ALL SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = c.oid)
             AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 1 = 1
       ),
       EXISTS (
           SELECT FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class = c.oid AND r.ev_type IN ('2', '3', '4')
       )
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_description AS d
       ON d.objoid = c.oid AND d.classoid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0
LEFT JOIN pg_catalog.pg_constraint AS key ON key.conrelid = c.oid AND key.contype = 'p'
WHERE n.nspname = ANY (%(schemas)s)
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND NOT c.relispartition
  AND NOT c.relname = ANY (%(exclude)s)
  AND (%(oids)s::bigint[] IS NULL OR c.oid = ANY (%(oids)s::bigint[]::oid[]))
  AND (n.nspname <> 'acta' OR c.relname LIKE 'directus\_%%')
  AND (n.nspname = 'acta' OR c.relname NOT LIKE 'directus\_%%')
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_inherits AS i
      JOIN pg_catalog.pg_class AS parent ON parent.oid = i.inhparent
      JOIN pg_catalog.pg_namespace AS pn ON pn.oid = parent.relnamespace
      WHERE i.inhrelid = c.oid AND pn.nspname = ANY (%(schemas)s)
  )
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'
  )
ORDER BY n.nspname, c.relname;

-- name: columns
-- All columns of the given tables with their defaults; what else is known of them comes from the statements below, since
-- the planner knows too little of the catalog (in a new database, nothing) to join it all without nested loops.
SELECT a.attrelid::bigint, a.attnum::int, a.attname, a.atttypid::bigint, a.atttypmod, a.attnotnull, a.attidentity::text,
       a.attgenerated <> '',
       CASE WHEN a.atthasdef THEN (
           SELECT pg_catalog.pg_get_expr(f.adbin, f.adrelid) FROM pg_catalog.pg_attrdef AS f
           WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum
       ) END
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = ANY (%(oids)s::bigint[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum;

-- name: types
-- How the types in use are called: without length, in full for a cast, and under domains; and the labels of enums.
WITH RECURSIVE used AS (
    SELECT * FROM unnest(%(types)s::bigint[]::oid[], %(modifiers)s::int[]) AS u (atttypid, atttypmod)
), domains AS (
    SELECT t.oid, t.typbasetype AS base, t.typnotnull AS required FROM pg_catalog.pg_type AS t WHERE t.typtype = 'd'
    UNION ALL
    SELECT d.oid, t.typbasetype, d.required OR t.typnotnull
    FROM domains AS d JOIN pg_catalog.pg_type AS t ON t.oid = d.base AND t.typtype = 'd'
)
SELECT used.atttypid::bigint, used.atttypmod, t.typtype::text,
       CASE WHEN core THEN pg_catalog.format_type(t.oid, NULL) ELSE plain.typname || brackets END,
       CASE WHEN core THEN pg_catalog.format_type(t.oid, used.atttypmod)
            ELSE pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(plain.typname)
                 || coalesce(substring(pg_catalog.format_type(t.oid, used.atttypmod) FROM '\([^)]*\)'), '') || brackets
       END,
       CASE WHEN base.oid IS NULL THEN NULL
            WHEN bn.nspname = 'pg_catalog' THEN pg_catalog.format_type(base.oid, NULL)
            ELSE base.typname END,
       coalesce(domain.required, false),
       ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum AS e
             WHERE e.enumtypid = coalesce(base.oid, t.oid) ORDER BY e.enumsortorder),
       -- A domain is held to what the domains under it demand, too.
       ARRAY(SELECT ARRAY[
                 CASE WHEN k.contypid = t.oid THEN k.conname::text ELSE owner.typname || '_' || k.conname END,
                 pg_catalog.pg_get_expr(k.conbin, 0)
             ]
             FROM pg_catalog.pg_constraint AS k JOIN pg_catalog.pg_type AS owner ON owner.oid = k.contypid
             WHERE t.typtype = 'd' AND k.contype = 'c'
               AND (k.contypid = t.oid OR k.contypid IN (SELECT s.base FROM domains AS s WHERE s.oid = t.oid))
             ORDER BY k.contypid <> t.oid, k.conname)
FROM used
JOIN pg_catalog.pg_type AS t ON t.oid = used.atttypid
LEFT JOIN pg_catalog.pg_type AS element ON element.oid = t.typelem AND element.typarray = t.oid
CROSS JOIN LATERAL (
    SELECT coalesce(element.typname, t.typname) AS typname, coalesce(element.typnamespace, t.typnamespace) AS space,
           CASE WHEN element.oid IS NULL THEN '' ELSE '[]' END AS brackets
) AS plain
JOIN pg_catalog.pg_namespace AS n ON n.oid = plain.space
CROSS JOIN LATERAL (SELECT n.nspname = 'pg_catalog' AS core) AS c
LEFT JOIN domains AS domain
       ON domain.oid = t.oid AND NOT EXISTS (SELECT FROM pg_catalog.pg_type AS b WHERE b.oid = domain.base AND b.typtype = 'd')
LEFT JOIN pg_catalog.pg_type AS base ON base.oid = domain.base
LEFT JOIN pg_catalog.pg_namespace AS bn ON bn.oid = base.typnamespace;

-- name: sole_keys
-- Columns that a primary key or unique constraint covers alone.
SELECT k.conrelid::bigint, k.conkey[1]::int FROM pg_catalog.pg_constraint AS k
WHERE k.conrelid = ANY (%(oids)s::bigint[]::oid[]) AND k.contype IN ('p', 'u') AND cardinality(k.conkey) = 1;

-- name: sole_indexes
-- Columns that a non-unique index covers alone; partial indexes count.
SELECT i.indrelid::bigint, i.indkey[0]::int FROM pg_catalog.pg_index AS i
WHERE i.indrelid = ANY (%(oids)s::bigint[]::oid[]) AND NOT i.indisunique AND i.indnatts = 1 AND i.indkey[0] > 0 AND i.indisvalid;

-- name: leading_indexes
-- Columns by which an index of all rows is ordered first.
SELECT DISTINCT i.indrelid::bigint, i.indkey[0]::int
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_am AS a ON a.oid = c.relam AND a.amname = 'btree'
WHERE i.indrelid = ANY (%(oids)s::bigint[]::oid[]) AND i.indkey[0] > 0 AND i.indisvalid AND i.indpred IS NULL;

-- name: sequences
-- Columns that own a sequence (serial, identity), with its quoted and qualified name.
SELECT d.refobjid::bigint, d.refobjsubid::int, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(s.relname)
FROM pg_catalog.pg_depend AS d
JOIN pg_catalog.pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_catalog.pg_namespace AS n ON n.oid = s.relnamespace
WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
  AND d.refobjid = ANY (%(oids)s::bigint[]::oid[]) AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i');

-- name: comments
-- The comments of columns.
SELECT d.objoid::bigint, d.objsubid::int, d.description FROM pg_catalog.pg_description AS d
WHERE d.classoid = 'pg_catalog.pg_class'::regclass AND d.objoid = ANY (%(oids)s::bigint[]::oid[]) AND d.objsubid > 0;

-- name: foreign_keys
-- The foreign keys of the given tables, referencing any schema, with the columns of both sides in order.
SELECT k.conrelid::bigint, k.conname, k.conkey::int[], n.nspname, c.relname,
       (SELECT array_agg(a.attname::text ORDER BY part.place)
        FROM unnest(k.confkey) WITH ORDINALITY AS part (attnum, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = part.attnum),
       k.confupdtype::text, k.confdeltype::text
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS c ON c.oid = k.confrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE k.conrelid = ANY (%(oids)s::bigint[]::oid[]) AND k.contype = 'f' AND NOT c.relispartition
ORDER BY k.conrelid, k.conname;

-- name: checks
-- The checks of the given tables, each with the columns it speaks of.
SELECT k.conrelid::bigint, k.conname, pg_catalog.pg_get_expr(k.conbin, k.conrelid),
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
             WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) ORDER BY a.attnum)
FROM pg_catalog.pg_constraint AS k
WHERE k.conrelid = ANY (%(oids)s::bigint[]::oid[]) AND k.contype = 'c'
ORDER BY k.conrelid, k.conname;

-- name: fingerprints
-- One number per table that changes with any change of its columns, constraints, indexes, rules, triggers, comments
-- or children, and one (oid 0) for the labels of all enums and the constraints of all domains.
WITH parts AS (
    SELECT c.oid, c.xmin FROM pg_catalog.pg_class AS c
    UNION ALL SELECT a.attrelid, a.xmin FROM pg_catalog.pg_attribute AS a WHERE a.attnum > 0
    UNION ALL SELECT f.adrelid, f.xmin FROM pg_catalog.pg_attrdef AS f
    UNION ALL SELECT k.conrelid, k.xmin FROM pg_catalog.pg_constraint AS k WHERE k.conrelid <> 0
    UNION ALL SELECT i.indrelid, i.xmin FROM pg_catalog.pg_index AS i
    UNION ALL SELECT r.ev_class, r.xmin FROM pg_catalog.pg_rewrite AS r
    UNION ALL SELECT t.tgrelid, t.xmin FROM pg_catalog.pg_trigger AS t
    UNION ALL SELECT i.inhparent, i.xmin FROM pg_catalog.pg_inherits AS i
    UNION ALL SELECT i.inhrelid, i.xmin FROM pg_catalog.pg_inherits AS i
    UNION ALL SELECT d.objoid, d.xmin FROM pg_catalog.pg_description AS d WHERE d.classoid = 'pg_catalog.pg_class'::regclass
)
SELECT c.oid::bigint, (sum(p.xmin::text::bigint * 31) + count(*))::text
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN parts AS p ON p.oid = c.oid
WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
GROUP BY c.oid
UNION ALL
SELECT 0, (coalesce(sum(kind.xmin::text::bigint * 31), 0) + count(*))::text
FROM (
    SELECT e.xmin FROM pg_catalog.pg_enum AS e
    UNION ALL SELECT k.xmin FROM pg_catalog.pg_constraint AS k WHERE k.contypid <> 0
    UNION ALL SELECT t.xmin FROM pg_catalog.pg_type AS t WHERE t.typtype = 'd'
) AS kind;
