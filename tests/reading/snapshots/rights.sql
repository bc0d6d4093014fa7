-- articles?fields=*,comments.body
WITH "p0" AS MATERIALIZED (SELECT row_number() OVER () AS "acta n", "t0".*
FROM (SELECT "t0"."id", "t0"."title", "t0"."author", "t0"."status"
FROM "public"."articles" "t0"
ORDER BY "t0"."id"
LIMIT 100) AS "t0"),
"a2" AS (SELECT "t2"."#k", json_agg(row_to_json("j1".*)
ORDER BY "t2"."acta n") AS "#v"
FROM (SELECT *
FROM (SELECT "t2"."article" AS "#k", row_number() OVER (PARTITION BY "t2"."article"
ORDER BY "t2"."id") AS "acta n", "t2"."body"
FROM "p0" AS "t0"
JOIN "public"."comments" "t2" ON "t2"."article" = "t0"."id"
WHERE "t2"."author" IS NOT NULL) AS "t2"
WHERE "t2"."acta n" <= 100) AS "t2"
CROSS JOIN LATERAL (SELECT "t2"."body" AS "body") AS "j1"
GROUP BY "t2"."#k") SELECT row_to_json("j2".*)
FROM "p0" AS "t0"
LEFT JOIN "a2" ON "a2"."#k" = "t0"."id"
CROSS JOIN LATERAL (SELECT "t0"."id" AS "id", "t0"."title" AS "title", CASE WHEN EXISTS (SELECT
FROM "public"."authors" "t1"
WHERE "t1"."id" = "t0"."author" AND "t1"."name" = $1) THEN "t0"."status" END AS "status", "t0"."author" AS "author", coalesce("a2"."#v", '[]'::json) AS "comments") AS "j2"
ORDER BY "t0"."acta n"
