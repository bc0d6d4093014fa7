-- name: preview
-- How many values a column has, how many of them another type can't hold at all, how many it would change, and some of both.
WITH tried AS MATERIALIZED (
    SELECT {key} AS item, "acta row".{column}::text AS value, acta.converted_v1("acta row".{column}::text, {from_type}, {to_type}) AS result
    FROM {table} AS "acta row" WHERE "acta row".{column} IS NOT NULL
), lost AS (
    SELECT item, value, result[1] AS becomes, result IS NULL AS impossible FROM tried
    WHERE result IS NULL OR result[2] IS DISTINCT FROM value
)
SELECT (SELECT count(*) FROM tried), (SELECT count(*) FROM lost WHERE impossible), (SELECT count(*) FROM lost WHERE NOT impossible),
       (SELECT coalesce(jsonb_agg(to_jsonb(one) ORDER BY impossible DESC, item), '[]')
        FROM (SELECT * FROM lost ORDER BY impossible DESC, item LIMIT {examples}) AS one);

-- name: empty_impossible
-- Null for the values that another type can't hold.
UPDATE {table} AS "acta row" SET {column} = NULL
WHERE "acta row".{column} IS NOT NULL AND acta.converted_v1("acta row".{column}::text, {from_type}, {to_type}) IS NULL;
