-- name: known
-- How types are to be declared that the wire calls by these names; those of the given schema come first.
SELECT DISTINCT ON (named.name) named.name,
       CASE WHEN n.nspname = 'pg_catalog' THEN named.name
            ELSE pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(plain.typname) || plain.brackets END
FROM pg_catalog.pg_type AS t
LEFT JOIN pg_catalog.pg_type AS element ON element.oid = t.typelem AND element.typarray = t.oid
CROSS JOIN LATERAL (
    SELECT coalesce(element.typname, t.typname) AS typname, coalesce(element.typnamespace, t.typnamespace) AS space,
           CASE WHEN element.oid IS NULL THEN '' ELSE '[]' END AS brackets
) AS plain
JOIN pg_catalog.pg_namespace AS n ON n.oid = plain.space
CROSS JOIN LATERAL (
    SELECT CASE WHEN n.nspname = 'pg_catalog' THEN pg_catalog.format_type(t.oid, NULL) ELSE plain.typname || plain.brackets END AS name
) AS named
WHERE t.typtype <> 'p' AND n.nspname NOT IN ('acta', 'information_schema') AND named.name = ANY (%(names)s)
ORDER BY named.name, n.nspname = 'pg_catalog' DESC, n.nspname = %(home)s DESC, n.nspname;
