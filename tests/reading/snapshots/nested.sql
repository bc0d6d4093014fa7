-- articles?fields=title,author.name,comments.body,comments.author.name&sort=-published
WITH "p0" AS MATERIALIZED (SELECT row_number() OVER () AS "acta n", "t0".*
FROM (SELECT "t0"."title", "t0"."author", "t0"."id"
FROM "public"."articles" "t0"
ORDER BY "t0"."published" DESC
LIMIT 100) AS "t0"),
"a2" AS (SELECT "t2"."#k", json_agg(row_to_json("j3".*)
ORDER BY "t2"."acta n") AS "#v"
FROM (SELECT *
FROM (SELECT "t2"."article" AS "#k", row_number() OVER (PARTITION BY "t2"."article"
ORDER BY "t2"."id") AS "acta n", "t2"."body", "t2"."author"
FROM "p0" AS "t0"
JOIN "public"."comments" "t2" ON "t2"."article" = "t0"."id") AS "t2"
WHERE "t2"."acta n" <= 100) AS "t2"
LEFT JOIN "public"."authors" "t3" ON "t3"."id" = "t2"."author"
CROSS JOIN LATERAL (SELECT "t3"."name" AS "name") AS "j2"
CROSS JOIN LATERAL (SELECT "t2"."body" AS "body", CASE WHEN "t3"."id" IS NOT NULL THEN row_to_json("j2".*) END AS "author") AS "j3"
GROUP BY "t2"."#k") SELECT row_to_json("j4".*)
FROM "p0" AS "t0"
LEFT JOIN "public"."authors" "t1" ON "t1"."id" = "t0"."author"
CROSS JOIN LATERAL (SELECT "t1"."name" AS "name") AS "j1"
LEFT JOIN "a2" ON "a2"."#k" = "t0"."id"
CROSS JOIN LATERAL (SELECT "t0"."title" AS "title", CASE WHEN "t1"."id" IS NOT NULL THEN row_to_json("j1".*) END AS "author", coalesce("a2"."#v", '[]'::json) AS "comments") AS "j4"
ORDER BY "t0"."acta n"
