WITH "acta row" AS (
    INSERT INTO "public"."articles" AS t0 ("author", "title")
    SELECT v."c0"::integer, v."c1" FROM ROWS FROM (json_array_elements_text($1::json), json_array_elements_text($2::json), json_array_elements_text($3::json)) AS v ("c0", "c1", "p0")
    RETURNING t0."id"::text AS item, to_jsonb(t0.*) AS payload, NULL AS jump
)
, "acta event" AS (
    INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
    SELECT 'item.created', 'articles', item, $4::uuid, $5::uuid, $6::int, payload, $7::jsonb FROM "acta row"
)
SELECT json_agg(item), NULL FROM "acta row"
