-- articles?fields=title,comments.body&deep[comments][_limit]=3&deep[comments][_sort]=-id
WITH "p0" AS MATERIALIZED (SELECT row_number() OVER () AS "acta n", "t0".*
FROM (SELECT "t0"."title", "t0"."id"
FROM "public"."articles" "t0"
ORDER BY "t0"."id"
LIMIT 100) AS "t0"),
"a1" AS (SELECT "t1"."#k", json_agg(row_to_json("j1".*)
ORDER BY "t1"."acta n") AS "#v"
FROM (SELECT "t0"."id" AS "#k", "t1".*
FROM "p0" AS "t0"
CROSS JOIN LATERAL (SELECT "t1".*, row_number() OVER () AS "acta n"
FROM (SELECT "t1"."body"
FROM "public"."comments" "t1"
WHERE "t1"."article" = "t0"."id"
ORDER BY "t1"."id" DESC
LIMIT 3) AS "t1") AS "t1") AS "t1"
CROSS JOIN LATERAL (SELECT "t1"."body" AS "body") AS "j1"
GROUP BY "t1"."#k") SELECT row_to_json("j2".*)
FROM "p0" AS "t0"
LEFT JOIN "a1" ON "a1"."#k" = "t0"."id"
CROSS JOIN LATERAL (SELECT "t0"."title" AS "title", coalesce("a1"."#v", '[]'::json) AS "comments") AS "j2"
ORDER BY "t0"."acta n"
