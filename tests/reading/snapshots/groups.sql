-- articles?groupBy=year(published),author&aggregate[count]=*&aggregate[max]=title
SELECT row_to_json("j2".*)
FROM (SELECT extract(year
FROM ("t0"."published" AT TIME ZONE 'UTC')) AS "#k0", "t0"."author" AS "#k1", count(*) AS "#v2", max("t0"."title") AS "#v3"
FROM "public"."articles" "t0"
GROUP BY 1, 2
ORDER BY "#k0"
LIMIT 100) AS "t0"
CROSS JOIN LATERAL (SELECT "t0"."#v3" AS "title") AS "j1"
CROSS JOIN LATERAL (SELECT ("t0"."#k0")::text AS "published_year", "t0"."#k1" AS "author", ("t0"."#v2")::text AS "count", row_to_json("j1".*) AS "max") AS "j2"
