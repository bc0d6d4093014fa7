-- articles?fields=id,title,published&filter[status][_eq]=draft&sort=-published&limit=50
SELECT row_to_json("j1".*)
FROM (SELECT "t0"."id", "t0"."title", "t0"."published"
FROM "public"."articles" "t0"
WHERE "t0"."status" = $1
ORDER BY "t0"."published" DESC
LIMIT 50) AS "t0"
CROSS JOIN LATERAL (SELECT "t0"."id" AS "id", "t0"."title" AS "title", to_char(("t0"."published") AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "published") AS "j1"
