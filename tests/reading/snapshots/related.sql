-- articles?fields=id&filter={"comments":{"author":{"name":"x"},"body":{"_contains":"y"}}}&sort=author.name&meta=*
SELECT '{"data":[' || coalesce(string_agg(coalesce(row_to_json("j1".*)::text, 'null'), ','), '') || ']' || ',"meta":{' || '"total_count":' || (SELECT count(*)
FROM "public"."articles" "t4") || ',' || '"filter_count":' || (SELECT count(*)
FROM "public"."articles" "t5"
WHERE EXISTS (SELECT
FROM "public"."comments" "t6"
WHERE "t6"."article" = "t5"."id" AND ("t6"."body" LIKE $3 AND EXISTS (SELECT
FROM "public"."authors" "t7"
WHERE "t7"."id" = "t6"."author" AND "t7"."name" = $4)))) || '}' || '}'
FROM (SELECT "t0"."id"
FROM "public"."articles" "t0"
LEFT JOIN "public"."authors" "t3" ON "t3"."id" = "t0"."author"
WHERE EXISTS (SELECT
FROM "public"."comments" "t1"
WHERE "t1"."article" = "t0"."id" AND ("t1"."body" LIKE $1 AND EXISTS (SELECT
FROM "public"."authors" "t2"
WHERE "t2"."id" = "t1"."author" AND "t2"."name" = $2)))
ORDER BY "t3"."name"
LIMIT 100) AS "t0"
CROSS JOIN LATERAL (SELECT "t0"."id" AS "id") AS "j1"
