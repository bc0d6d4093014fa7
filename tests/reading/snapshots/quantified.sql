-- articles?fields=id&filter={"_or":[{"comments":{"_none":{"body":"x"}}},{"comments":{"_some":{"id":{"_in":[1,2]}}}}]}
SELECT row_to_json("j1".*)
FROM (SELECT "t0"."id"
FROM "public"."articles" "t0"
WHERE (NOT EXISTS (SELECT
FROM "public"."comments" "t1"
WHERE "t1"."article" = "t0"."id" AND "t1"."body" = $1) OR EXISTS (SELECT
FROM "public"."comments" "t2"
WHERE "t2"."article" = "t0"."id" AND "t2"."id" = ANY ($2)))
ORDER BY "t0"."id"
LIMIT 100) AS "t0"
CROSS JOIN LATERAL (SELECT "t0"."id" AS "id") AS "j1"
