-- articles/7?fields=*,author.name
WITH "p0" AS MATERIALIZED (SELECT "t0"."id", "t0"."title", "t0"."status", "t0"."published", "t0"."author"
FROM "public"."articles" "t0"
WHERE "t0"."id" = $1),
"a2" AS (SELECT "t2"."#k", json_agg(to_json("t2"."id")
ORDER BY "t2"."acta n") AS "#v"
FROM (SELECT *
FROM (SELECT "t2"."article" AS "#k", row_number() OVER (PARTITION BY "t2"."article"
ORDER BY "t2"."id") AS "acta n", "t2"."id"
FROM "p0" AS "t0"
JOIN "public"."comments" "t2" ON "t2"."article" = "t0"."id") AS "t2"
WHERE "t2"."acta n" <= 100) AS "t2"
GROUP BY "t2"."#k") SELECT row_to_json("j2".*)
FROM "p0" AS "t0"
LEFT JOIN "public"."authors" "t1" ON "t1"."id" = "t0"."author"
CROSS JOIN LATERAL (SELECT "t1"."name" AS "name") AS "j1"
LEFT JOIN "a2" ON "a2"."#k" = "t0"."id"
CROSS JOIN LATERAL (SELECT "t0"."id" AS "id", "t0"."title" AS "title", "t0"."status" AS "status", to_char(("t0"."published") AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "published", CASE WHEN "t1"."id" IS NOT NULL THEN row_to_json("j1".*) END AS "author", coalesce("a2"."#v", '[]'::json) AS "comments") AS "j2"
