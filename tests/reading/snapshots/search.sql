-- articles?fields=id&search=42&limit=5&offset=10
SELECT row_to_json("j1".*)
FROM (SELECT "t0"."id"
FROM "public"."articles" "t0"
WHERE ("t0"."id" = $1 OR lower("t0"."title") LIKE lower($2) OR lower("t0"."status") LIKE lower($3) OR "t0"."author" = $4)
ORDER BY "t0"."id"
LIMIT 5 OFFSET 10) AS "t0"
CROSS JOIN LATERAL (SELECT "t0"."id" AS "id") AS "j1"
