-- comments?fields=body,article.author.articles.title&limit=10
WITH "p0" AS MATERIALIZED (SELECT row_number() OVER () AS "acta n", "t0".*
FROM (SELECT "t0"."body", "t0"."article"
FROM "public"."comments" "t0"
ORDER BY "t0"."id"
LIMIT 10) AS "t0"),
"o1" AS MATERIALIZED (SELECT "t1"."id", "t1"."author"
FROM "public"."articles" "t1"
WHERE EXISTS (SELECT
FROM "p0" AS "t0"
WHERE "t1"."id" = "t0"."article")),
"o2" AS MATERIALIZED (SELECT "t2"."id"
FROM "public"."authors" "t2"
WHERE EXISTS (SELECT
FROM "o1" AS "t1"
WHERE "t2"."id" = "t1"."author")),
"a3" AS (SELECT "t3"."#k", json_agg(row_to_json("j1".*)
ORDER BY "t3"."acta n") AS "#v"
FROM (SELECT *
FROM (SELECT "t3"."author" AS "#k", row_number() OVER (PARTITION BY "t3"."author"
ORDER BY "t3"."id") AS "acta n", "t3"."title"
FROM "o2" AS "t2"
JOIN "public"."articles" "t3" ON "t3"."author" = "t2"."id") AS "t3"
WHERE "t3"."acta n" <= 100) AS "t3"
CROSS JOIN LATERAL (SELECT "t3"."title" AS "title") AS "j1"
GROUP BY "t3"."#k") SELECT row_to_json("j4".*)
FROM "p0" AS "t0"
LEFT JOIN "o1" AS "t1" ON "t1"."id" = "t0"."article"
LEFT JOIN "o2" AS "t2" ON "t2"."id" = "t1"."author"
LEFT JOIN "a3" ON "a3"."#k" = "t2"."id"
CROSS JOIN LATERAL (SELECT coalesce("a3"."#v", '[]'::json) AS "articles") AS "j2"
CROSS JOIN LATERAL (SELECT CASE WHEN "t2"."id" IS NOT NULL THEN row_to_json("j2".*) END AS "author") AS "j3"
CROSS JOIN LATERAL (SELECT "t0"."body" AS "body", CASE WHEN "t1"."id" IS NOT NULL THEN row_to_json("j3".*) END AS "article") AS "j4"
ORDER BY "t0"."acta n"
