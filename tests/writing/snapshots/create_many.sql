WITH "acta row" AS (
    INSERT INTO "public"."articles" AS t0 ("author", "title")
    SELECT v."c0"::integer, v."c1" FROM json_to_recordset($1::json) AS v (n int, fields text[], "c0" text, "p0" boolean, "c1" text)
    RETURNING t0.*
), "acta numbered" AS (
    SELECT row_number() OVER () AS n, "acta row"."id"::text AS item, to_jsonb("acta row".*) AS payload FROM "acta row"
)
, "acta event" AS (
    INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
    SELECT 'item.created', 'articles', item, $2::uuid, $3::uuid, $4::int, payload, $5::jsonb
    FROM "acta numbered" ORDER BY n
)
SELECT n, item, NULL FROM "acta numbered" ORDER BY n
