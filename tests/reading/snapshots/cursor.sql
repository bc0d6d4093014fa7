-- articles?fields=id&limit=2&meta=cursor&sort=-published
SELECT '{"data":[' || coalesce(string_agg(coalesce(row_to_json("j1".*)::text, 'null'), ','
ORDER BY "t0"."acta n"), '') || ']' || ',"meta":{' || '"cursor":' || coalesce(CASE WHEN count(*) = 2 THEN to_json(translate(encode(convert_to((array_agg("t0"."#c"
ORDER BY "t0"."acta n" DESC))[1], 'UTF8'), 'base64'), E'+/=\n', '-_'))::text END, 'null') || '}' || '}'
FROM (SELECT row_number() OVER () AS "acta n", "t0".*
FROM (SELECT json_build_array(("t0"."published")::text, ("t0"."id")::text)::text AS "#c", "t0"."id"
FROM "public"."articles" "t0"
ORDER BY "t0"."published" DESC, "t0"."id"
LIMIT 2) AS "t0") AS "t0"
CROSS JOIN LATERAL (SELECT "t0"."id" AS "id") AS "j1"
